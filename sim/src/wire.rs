//! awsJson and Query/XML to and from calls.
