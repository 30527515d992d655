//! A section of the file, declared once: its keys give the struct, the defaults, the reader, `explain` and the schema.

use crate::field::Mismatch;
use crate::node::Node;

/// What the reader needs of a section.
pub(crate) trait Section: Default {
    /// The section's name in the file.
    const NAME: &'static str;
    /// Its keys, in the order of the documentation.
    const KEYS: &'static [&'static str];

    /// Sets the field of one of [`Section::KEYS`]; any other key is left alone.
    fn set(&mut self, key: &str, node: &Node) -> Result<(), Vec<Mismatch>>;

    /// Every key with its value as the file would spell it, secrets masked.
    fn show(&self) -> Vec<(&'static str, serde_json::Value)>;
}

/// Declares sections: `"key" field: Type = default, …`.
macro_rules! section {
    (
        $(#[$meta:meta])*
        $name:ident = $section:literal {
            $( $(#[$field_meta:meta])* $key:literal $field:ident: $type:ty = $default:expr, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        pub struct $name {
            $( $(#[$field_meta])* #[schemars(rename = $key)] pub $field: $type, )*
        }

        impl Default for $name {
            fn default() -> Self {
                $name { $( $field: $default, )* }
            }
        }

        impl $crate::section::Section for $name {
            const NAME: &'static str = $section;
            const KEYS: &'static [&'static str] = &[ $( $key, )* ];

            fn set(
                &mut self,
                key: &str,
                node: &$crate::node::Node,
            ) -> Result<(), Vec<$crate::field::Mismatch>> {
                match key {
                    $( $key => self.$field = $crate::field::Field::read(node)?, )*
                    _ => {}
                }
                Ok(())
            }

            fn show(&self) -> Vec<(&'static str, serde_json::Value)> {
                vec![ $( ($key, $crate::field::Field::show(&self.$field)), )* ]
            }
        }
    };
}

pub(crate) use section;
