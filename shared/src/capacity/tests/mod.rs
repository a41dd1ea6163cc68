//! The packer against judges that know nothing of how it packs.

mod counts;
mod judge;
mod missing;
mod place;
mod shares;
mod spare;
mod worlds;
