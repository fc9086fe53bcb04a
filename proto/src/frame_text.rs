//! Ids and times as texts in the JSON view.

/// A time as RFC 3339.
pub(crate) mod time {
    use arqon_types::{format_timestamp, parse_timestamp};
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field by reference")]
    pub(crate) fn serialize<S: Serializer>(time: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format_timestamp(*time))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(reader: D) -> Result<i64, D::Error> {
        parse_timestamp(&String::deserialize(reader)?).map_err(D::Error::custom)
    }
}

/// An id as 36 characters.
pub(crate) mod id {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
    use uuid::Uuid;

    pub(crate) fn serialize<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(reader: D) -> Result<Uuid, D::Error> {
        Uuid::try_parse(&String::deserialize(reader)?).map_err(D::Error::custom)
    }
}

/// An id or null.
pub(crate) mod optional_id {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
    use uuid::Uuid;

    #[expect(clippy::ref_option, reason = "serde passes the field by reference")]
    pub(crate) fn serialize<S: Serializer>(
        id: &Option<Uuid>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match id {
            Some(id) => serializer.collect_str(id),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        reader: D,
    ) -> Result<Option<Uuid>, D::Error> {
        Option::<String>::deserialize(reader)?
            .map(|text| Uuid::try_parse(&text).map_err(D::Error::custom))
            .transpose()
    }
}
