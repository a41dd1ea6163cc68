//! The packer against judges that know nothing of how it packs.

mod counts;
mod judge;
mod missing;
mod place;
mod spare;
mod worlds;
