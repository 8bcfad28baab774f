//! `strftime_now`: the date as templates ask for it.

/// Seconds since 1970-01-01T00:00:00Z, now.
pub(crate) fn now() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |age| i64::try_from(age.as_secs()).unwrap_or(i64::MAX))
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// A moment of the proleptic Gregorian calendar, UTC.
struct Moment {
    year: i64,
    /// 0 to 11.
    month: usize,
    /// 1 to 31.
    day: i64,
    /// 0 is Monday.
    weekday: usize,
    /// Seconds of the day.
    second: i64,
}

impl Moment {
    /// Days are counted in 400-year cycles whose years begin in March, so the leap day comes last
    /// (H. Hinnant, "chrono-compatible low-level date algorithms").
    fn from_unix(seconds: i64) -> Self {
        let days = seconds.div_euclid(86_400);
        let shifted = days + 719_468;
        let cycle = shifted.div_euclid(146_097);
        let day_of_cycle = shifted.rem_euclid(146_097);
        let year_of_cycle = (day_of_cycle - day_of_cycle / 1_460 + day_of_cycle / 36_524
            - day_of_cycle / 146_096)
            / 365;
        let day_of_year =
            day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let month = (from_march + 2) % 12;
        Self {
            year: year_of_cycle + cycle * 400 + i64::from(month < 2),
            month: month as usize,
            day: day_of_year - (153 * from_march + 2) / 5 + 1,
            weekday: (days + 3).rem_euclid(7) as usize,
            second: seconds.rem_euclid(86_400),
        }
    }
}

/// `datetime.utcfromtimestamp(seconds).strftime(format)` for the directives that templates use; another
/// directive stays as it is written.
pub(crate) fn strftime(seconds: i64, format: &str) -> String {
    let at = Moment::from_unix(seconds);
    let (hour, minute) = (at.second / 3_600, at.second / 60 % 60);
    let hour12 = (hour + 11) % 12 + 1;
    let mut out = String::with_capacity(format.len() * 2);
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut directive = chars.next();
        let plain = directive == Some('-');
        if plain {
            directive = chars.next();
        }
        let number = |value: i64, width: usize| {
            if plain {
                value.to_string()
            } else {
                format!("{value:0width$}")
            }
        };
        match directive {
            Some('Y') => out += &number(at.year, 4),
            Some('y') => out += &number(at.year.rem_euclid(100), 2),
            Some('m') => out += &number(at.month as i64 + 1, 2),
            Some('d') => out += &number(at.day, 2),
            Some('e') => out += &format!("{:2}", at.day),
            Some('H') => out += &number(hour, 2),
            Some('I') => out += &number(hour12, 2),
            Some('M') => out += &number(minute, 2),
            Some('S') => out += &number(at.second % 60, 2),
            Some('p') => out += if hour < 12 { "AM" } else { "PM" },
            Some('B') => out += MONTHS[at.month],
            Some('b' | 'h') => out += &MONTHS[at.month][..3],
            Some('A') => out += DAYS[at.weekday],
            Some('a') => out += &DAYS[at.weekday][..3],
            Some('F') => out += &strftime(seconds, "%Y-%m-%d"),
            Some('T') => out += &strftime(seconds, "%H:%M:%S"),
            Some('Z') => out += "UTC",
            Some('z') => out += "+0000",
            Some('%') => out.push('%'),
            other => {
                out.push('%');
                out.extend(plain.then_some('-'));
                out.extend(other);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values printed by Python's `datetime.fromtimestamp(t, timezone.utc).strftime(f)`.
    #[test]
    fn dates_are_pythons() {
        let all = "%Y-%m-%d %H:%M:%S %d %b %Y %B %A %a %y %I %p %-d";
        for (seconds, expected) in [
            (
                0,
                "1970-01-01 00:00:00 01 Jan 1970 January Thursday Thu 70 12 AM 1",
            ),
            (
                1_709_208_000,
                "2024-02-29 12:00:00 29 Feb 2024 February Thursday Thu 24 12 PM 29",
            ),
            (
                4_107_542_399,
                "2100-02-28 23:59:59 28 Feb 2100 February Sunday Sun 00 11 PM 28",
            ),
            (
                951_868_799,
                "2000-02-29 23:59:59 29 Feb 2000 February Tuesday Tue 00 11 PM 29",
            ),
        ] {
            assert_eq!(strftime(seconds, all), expected);
        }
        assert_eq!(strftime(0, "100%% %Q %"), "100% %Q %");
    }
}
