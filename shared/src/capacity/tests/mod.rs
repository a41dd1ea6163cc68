//! The packer against judges that know nothing of how it packs.

mod judge;
mod place;
mod worlds;
