//! Loops, found in what was executed.
//!
//! A branch back to an executed instruction makes a loop of all that lies between. Every instruction
//! belongs to the smallest loop around it, so the parts of a program are disjoint and whole.

use super::count::Step;
use std::collections::BTreeMap;

/// Instructions that run together: what a loop has beside its inner loops, or a stretch outside loops.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// The words that run in most passes, in order.
    pub body: Vec<u32>,
    /// Instructions executed, those on rare paths included.
    pub executed: u64,
}

/// Addresses from the first to the last instruction.
type Range = (u64, u64);

/// The parts, by instructions executed, most first.
pub fn parts(steps: &[Step]) -> Vec<Part> {
    let loops = loops(steps);
    let mut parts: BTreeMap<Place, Vec<Step>> = BTreeMap::new();
    let mut stretch = 0;
    let mut last = None;
    for step in steps {
        let around = |range: &&Range| range.0 <= step.address && step.address <= range.1;
        let inner = loops.iter().filter(around).min_by_key(|(a, b)| b - a);
        let place = match inner {
            Some(range) => Place::Loop(*range),
            None => {
                if last != step.address.checked_sub(4) {
                    stretch = step.address;
                }
                last = Some(step.address);
                Place::Stretch(stretch)
            }
        };
        parts.entry(place).or_default().push(*step);
    }
    let mut parts: Vec<Part> = parts.values().map(|steps| part(steps)).collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.executed));
    parts
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Loop(Range),
    /// Outside loops, from this address on.
    Stretch(u64),
}

fn part(steps: &[Step]) -> Part {
    let most = steps.iter().map(|step| step.count).max().unwrap_or(0);
    let often = steps.iter().filter(|step| step.count * 2 >= most);
    Part {
        body: often.map(|step| step.word).collect(),
        executed: super::count::total(steps),
    }
}

/// The ranges of all loops: one for each first instruction, up to the last branch back to it.
fn loops(steps: &[Step]) -> Vec<Range> {
    let at = |address: u64| steps.binary_search_by_key(&address, |step| step.address);
    let mut loops: BTreeMap<u64, u64> = BTreeMap::new();
    for (end, step) in steps.iter().enumerate() {
        let Some(target) = target(step.address, step.word).filter(|t| *t <= step.address) else {
            continue;
        };
        let Ok(start) = at(target) else { continue };
        // A jump back over the end of a function is a call, not a loop.
        if !steps[start..=end].iter().any(|step| is_return(step.word)) {
            loops.insert(target, step.address);
        }
    }
    loops.into_iter().collect()
}

/// Where a direct branch that is not a call goes.
fn target(address: u64, word: u32) -> Option<u64> {
    // The offset counts instructions and lies at `shift`, `bits` wide, with a sign.
    let (shift, bits) = match word {
        w if w >> 26 == 0b000101 => (0, 26),
        w if w >> 24 == 0b0101_0100 => (5, 19),
        w if w & 0x7e00_0000 == 0x3400_0000 => (5, 19),
        w if w & 0x7e00_0000 == 0x3600_0000 => (5, 14),
        _ => return None,
    };
    let offset = (word << (32 - shift - bits)).cast_signed() >> (32 - bits);
    address.checked_add_signed(i64::from(offset) * 4)
}

fn is_return(word: u32) -> bool {
    word & 0xffff_fc1f == 0xd65f_0000
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOP: u32 = 0xd503_201f;
    const RET: u32 = 0xd65f_03c0;

    /// `b.ne` by a number of instructions.
    fn b_ne(offset: i32) -> u32 {
        0x5400_0001 | ((offset.cast_unsigned() & 0x7_ffff) << 5)
    }

    fn steps(code: &[(u32, u64)]) -> Vec<Step> {
        let step = |(i, (word, count)): (u64, &(u32, u64))| Step {
            address: 0x1000 + 4 * i,
            word: *word,
            count: *count,
        };
        (0..).zip(code).map(step).collect()
    }

    #[test]
    fn branches_go_where_llvm_says() {
        // llvm-mc: b #-8; b.ne #-64; cbz x0, #-4; cbnz w1, #8; tbz w0, #3, #-16; tbnz x0, #40, #4
        for (word, offset) in [
            (0x17ff_fffe, Some(-8)),
            (0x54ff_fe01, Some(-64)),
            (0xb4ff_ffe0, Some(-4)),
            (0x3500_0041, Some(8)),
            (0x361f_ff80, Some(-16)),
            (0xb740_0020, Some(4)),
            // bl #-8; add; a dot product
            (0x97ff_fffe, None),
            (0x9100_08a5, None),
            (0x4e82_9420, None),
        ] {
            let to = offset.and_then(|offset| 0x1000_u64.checked_add_signed(offset));
            assert_eq!(target(0x1000, word), to, "{word:08x}");
        }
    }

    #[test]
    fn nested_loops_share_no_instruction() {
        let code = [
            (NOP, 1),
            (NOP, 10),       // outer
            (NOP, 100),      // inner
            (b_ne(-1), 100), // to inner
            (NOP, 10),
            (b_ne(-4), 10), // to outer
            (RET, 1),
        ];
        let parts = parts(&steps(&code));
        assert_eq!(parts.iter().map(|part| part.executed).sum::<u64>(), 232);
        assert_eq!((parts[0].body.len(), parts[0].executed), (2, 200));
        assert_eq!((parts[1].body.len(), parts[1].executed), (3, 30));
        // Before and after.
        assert_eq!(parts.len(), 4);
    }

    #[test]
    fn rare_paths_count_but_are_not_of_the_body() {
        let code = [(NOP, 100), (NOP, 3), (NOP, 100), (b_ne(-3), 100)];
        let parts = parts(&steps(&code));
        assert_eq!((parts[0].body.len(), parts[0].executed), (3, 303));
    }

    #[test]
    fn a_tail_call_of_what_lies_above_is_no_loop() {
        let code = [(NOP, 5), (RET, 5), (NOP, 5), (b_ne(-3), 5)];
        assert!(loops(&steps(&code)).is_empty());
    }
}
