//! The two sets of rules that AWS has had: the developer guide of September 2021, and today's.

use crate::engine::{Span, limits};

/// Which generation of scaling rules applies.
///
/// ```
/// use tidegate::engine::Profile;
///
/// assert_eq!("2021-09".parse(), Ok(Profile::Guide2021));
/// assert!("2022".parse::<Profile>().is_err());
/// assert_eq!(Profile::Current.sqs_ramp().concurrency_max, 1_250);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Profile {
    /// `2021-09`: one burst pool per Region, then +500 per minute; SQS +60 per minute to 1,000.
    Guide2021,
    /// `current`: every function grows by 1,000 per 10 s; SQS +300 per minute to 1,250.
    #[default]
    Current,
}

/// The text is neither `2021-09` nor `current`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a profile is `2021-09` or `current`")]
pub struct UnknownProfile;

/// How a queue mapping's concurrency grows while messages are waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqsRamp {
    /// Added per minute.
    pub step: u32,
    /// Never more than this.
    pub concurrency_max: u32,
}

/// How fast a function (or the Region) may create environments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// Size of the bucket, in environments.
    pub burst: u32,
    /// Environments that come back per `interval`.
    pub refill: u32,
    /// See `refill`.
    pub interval: Span,
    /// Whether they come back one by one or all at once.
    pub shape: Refill,
    /// Whether one bucket serves every function of the Region.
    pub regional: bool,
}

/// How what a growth limit gives back comes (rule `growth-refill-stepped`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Refill {
    /// Evenly over the interval.
    #[default]
    Continuous,
    /// All at the end of each full interval.
    Stepped,
}

/// How fast provisioned concurrency is allocated (rule `provisioned-allocation-speed`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// From the request until the first environment is made.
    pub preparation: Span,
    /// Environments that are made at once.
    pub burst: u32,
    /// Environments per minute after that.
    pub per_minute: u32,
}

impl Allocation {
    /// How long `count` more environments take until all of them serve.
    pub fn takes(self, count: u32) -> Span {
        let later = u64::from(count.saturating_sub(self.burst));
        let nanos = later * Span::from_secs(60).as_nanos() / u64::from(self.per_minute.max(1));
        self.preparation + Span::from_nanos(nanos)
    }
}

impl Profile {
    /// Every profile with its name.
    pub const ALL: [(&'static str, Self); 2] =
        [("2021-09", Self::Guide2021), ("current", Self::Current)];

    /// The name used in files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Guide2021 => "2021-09",
            Self::Current => "current",
        }
    }

    /// How SQS mappings grow (rule `sqs-ramp`).
    pub const fn sqs_ramp(self) -> SqsRamp {
        match self {
            Self::Guide2021 => SqsRamp {
                step: 60,
                concurrency_max: 1_000,
            },
            Self::Current => SqsRamp {
                step: 300,
                concurrency_max: 1_250,
            },
        }
    }

    /// How provisioned concurrency grows; `regional_burst` as for [`growth`](Self::growth). AWS says that preparation
    /// takes one to two minutes: it is 90 s here.
    pub const fn allocation(self, regional_burst: u32) -> Allocation {
        let preparation = Span::from_secs(90);
        match self {
            Self::Guide2021 => Allocation {
                preparation,
                burst: regional_burst,
                per_minute: 500,
            },
            Self::Current => Allocation {
                preparation,
                burst: 0,
                per_minute: 6_000,
            },
        }
    }

    /// Whether the initialisation of functions on demand is billed (rule `init-billed-since-2025`).
    pub const fn bills_init(self) -> bool {
        match self {
            Self::Guide2021 => false,
            Self::Current => true,
        }
    }

    /// The largest event of an asynchronous invocation, in bytes (rule `async-payload-limit`).
    pub const fn async_payload_max(self) -> u64 {
        match self {
            Self::Guide2021 => limits::ASYNC_PAYLOAD_BYTES_MAX_2021,
            Self::Current => limits::ASYNC_PAYLOAD_BYTES_MAX,
        }
    }

    /// How many messages a FIFO queue looks at, oldest first (rule `fifo-look-ahead`).
    pub const fn fifo_look_ahead(self) -> u32 {
        match self {
            Self::Guide2021 => limits::SQS_FIFO_LOOK_AHEAD_2021,
            Self::Current => limits::SQS_FIFO_LOOK_AHEAD,
        }
    }

    /// How often the lag of a Kafka mapping decides on its consumers (rule `kafka-consumers-on-demand`).
    pub const fn kafka_evaluation(self) -> Span {
        match self {
            Self::Guide2021 => Span::from_secs(15 * 60),
            Self::Current => Span::from_secs(60),
        }
    }

    /// How long it takes at most until another number of consumers on demand takes effect (rule
    /// `kafka-scaling-takes-time`). The guide of 2021 names no time.
    pub const fn kafka_effect(self) -> Span {
        match self {
            Self::Guide2021 => Span::ZERO,
            Self::Current => Span::from_secs(3 * 60),
        }
    }

    /// How functions grow; `regional_burst` is the Region's burst limit under `2021-09`
    /// (500, 1,000 or 3,000).
    pub const fn growth(self, regional_burst: u32) -> Growth {
        match self {
            Self::Guide2021 => Growth {
                burst: regional_burst,
                refill: 500,
                interval: Span::from_secs(60),
                shape: Refill::Continuous,
                regional: true,
            },
            Self::Current => Growth {
                burst: 1_000,
                refill: 1_000,
                interval: Span::from_secs(10),
                shape: Refill::Continuous,
                regional: false,
            },
        }
    }
}

impl std::str::FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(text: &str) -> Result<Self, UnknownProfile> {
        Self::ALL
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, profile)| *profile)
            .ok_or(UnknownProfile)
    }
}
