//! Push to live: scenarios of the real deploy function over the embedded AWS.

mod update;
