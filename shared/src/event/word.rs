//! Enums over AWS's words. A word of tomorrow is kept as it came (`Other`), never an error.

/// Makes an enum of AWS's words, with `Other(String)` for the ones not listed.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
            /// A word that is not in AWS's documentation of today.
            Other(String),
        }

        impl $name {
            /// AWS's word.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(word) => word,
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word {
                    $($text => Self::$variant,)*
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Self::from(String::deserialize(deserializer)?.as_str()))
            }
        }

        impl $crate::event::word::Word for $name {
            fn unknown(&self) -> Option<&str> {
                match self {
                    Self::Other(word) => Some(word),
                    _ => None,
                }
            }
        }
    )*};
}
pub(crate) use words;

/// A word that may be one of tomorrow's.
pub(crate) trait Word {
    /// The word, if it is not known.
    fn unknown(&self) -> Option<&str>;
}

impl<W: Word> Word for Option<W> {
    fn unknown(&self) -> Option<&str> {
        self.as_ref().and_then(Word::unknown)
    }
}
