//! Ids, times and 64-bit numbers as texts in the JSON view.

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

/// A 64-bit number; some clients can only write it as text.
pub(crate) mod number {
    use std::fmt::Display;
    use std::marker::PhantomData;
    use std::str::FromStr;

    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serialize, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field by reference")]
    pub(crate) fn serialize<T: Serialize, S: Serializer>(
        number: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        number.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, T, D>(reader: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display> + TryFrom<u64> + TryFrom<i64>,
        D: Deserializer<'de>,
    {
        reader.deserialize_any(Digits(PhantomData))
    }

    struct Digits<T>(PhantomData<T>);

    impl<T: FromStr<Err: Display> + TryFrom<u64> + TryFrom<i64>> Visitor<'_> for Digits<T> {
        type Value = T;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a whole number of 64 bits, or its digits as a string")
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
            T::try_from(number).map_err(|_| E::custom(format!("{number} is out of range")))
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
            T::try_from(number).map_err(|_| E::custom(format!("{number} is out of range")))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(|error| E::custom(format!("{text:?}: {error}")))
        }
    }
}

/// A 64-bit number, or nothing.
pub(crate) mod optional_number {
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    struct Number(#[serde(with = "super::number")] u64);

    #[expect(clippy::ref_option, reason = "serde passes the field by reference")]
    pub(crate) fn serialize<S: Serializer>(
        number: &Option<u64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match number {
            Some(number) => serializer.serialize_u64(*number),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        reader: D,
    ) -> Result<Option<u64>, D::Error> {
        Ok(Option::<Number>::deserialize(reader)?.map(|number| number.0))
    }
}
