/// A longer line is cut into lines of this many bytes, as the awslogs driver of ECS does.
const LONGEST: usize = 256 * 1024;

/// Puts the lines of one stream together as they come.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// Without a line's end in it, and shorter than [`LONGEST`].
    pending: Vec<u8>,
}

impl Lines {
    /// The lines that these bytes complete, each with its end unless it was cut. What is not UTF-8 is replaced.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        while !bytes.is_empty() {
            let room = LONGEST - self.pending.len();
            let end = bytes.iter().take(room).position(|byte| *byte == b'\n').map(|at| at + 1);
            let (taken, rest) = bytes.split_at(end.unwrap_or_else(|| bytes.len().min(room)));
            self.pending.extend_from_slice(taken);
            bytes = rest;
            if end.is_some() || self.pending.len() == LONGEST {
                lines.push(self.cut());
            }
        }
        lines
    }

    /// What came after the last line's end, once nothing more will come.
    pub(crate) fn rest(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.pending);
        (!rest.is_empty()).then(|| String::from_utf8_lossy(&rest).into_owned())
    }

    fn cut(&mut self) -> String {
        let begun = self.pending.split_off(whole_characters(&self.pending));
        let line = std::mem::replace(&mut self.pending, begun);
        String::from_utf8_lossy(&line).into_owned()
    }
}

/// How many of the bytes do not belong to a character of UTF-8 that is only begun.
fn whole_characters(bytes: &[u8]) -> usize {
    for (back, byte) in (1..=3).zip(bytes.iter().rev()) {
        let needs = match byte {
            0x80..=0xbf => continue,
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf7 => 4,
            _ => 1,
        };
        return if needs > back { bytes.len() - back } else { bytes.len() };
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_when_it_is_whole_and_the_rest_at_the_end() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"on"), [""; 0]);
        assert_eq!(lines.push(b"e\n\ntwo\nth"), ["one\n", "\n", "two\n"]);
        assert_eq!(lines.rest().as_deref(), Some("th"));
        assert_eq!(lines.rest(), None);
    }

    #[test]
    fn a_character_may_come_in_pieces() {
        let mut lines = Lines::default();
        for byte in "a🦀".bytes() {
            assert_eq!(lines.push(&[byte]), [""; 0]);
        }
        assert_eq!(lines.push(b"\n"), ["a🦀\n"]);
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let text = format!("a{}\n", "🦀".repeat(LONGEST / 2));
        let mut lines = Lines::default();
        let pieces = lines.push(text.as_bytes());
        assert_eq!(pieces.concat(), text);
        assert!(pieces.iter().all(|piece| piece.len() <= LONGEST), "{}", pieces.len());
        assert_eq!(pieces.len(), 3);
    }

    #[test]
    fn what_is_not_utf_8_is_replaced() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"\xff\xc3\n"), ["\u{fffd}\u{fffd}\n"]);
        let pieces = lines.push(&vec![0x80; LONGEST + 1]);
        assert_eq!(pieces.len(), 1);
        assert_eq!(lines.push(b"\n"), ["\u{fffd}\n"]);
        lines.push(b"\xf0\x9f");
        assert_eq!(lines.rest().as_deref(), Some("\u{fffd}"));
    }
}
