//! The heads of frames as they stand on the wire, looked at while the bytes pass by. fastwebsockets shows a frame
//! once it is whole, and not how its head was written: an unmasked frame, a control frame that is too long, a
//! length in a longer form than it needs and a length with its top bit set are found here, before any payload
//! is waited for. No I/O.

/// RFC 6455, section 5.5.
const CONTROL_BYTES_MAX: u8 = 125;
/// Two bytes, a length of eight, a mask of four.
const HEAD_BYTES_MAX: usize = 14;

/// What is wrong with a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadFault {
    Unmasked,
    LongControl,
    LongForm,
    TopBit,
}

impl HeadFault {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Unmasked => "client frames must be masked",
            Self::LongControl => "control frame over 125 bytes",
            Self::LongForm => "a length must take the shortest form",
            Self::TopBit => "a length has 63 bits at most",
        }
    }
}

/// Follows a stream of frames.
#[derive(Debug, Default)]
pub(super) struct Heads {
    head: [u8; HEAD_BYTES_MAX],
    /// Bytes of `head` that are there.
    have: usize,
    /// Bytes of the payload that are still to come.
    payload_left: u64,
}

impl Heads {
    /// Looks at the next bytes of the stream.
    ///
    /// # Errors
    /// The fault, and how many of these bytes stand before the head that has it.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Result<(), (HeadFault, usize)> {
        let mut at = 0;
        let mut head_at = 0;
        while at < bytes.len() {
            if self.payload_left > 0 {
                let skipped = self.payload_left.min((bytes.len() - at) as u64);
                self.payload_left -= skipped;
                at += skipped as usize;
                continue;
            }
            if self.have == 0 {
                head_at = at;
            }
            self.head[self.have] = bytes[at];
            self.have += 1;
            at += 1;
            self.check().map_err(|fault| (fault, head_at))?;
        }
        Ok(())
    }

    /// After each byte of a head.
    fn check(&mut self) -> Result<(), HeadFault> {
        let [first, second, ..] = self.head;
        let code = second & 0x7F;
        let length_end = match code {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        if self.have == 2 {
            if second & 0x80 == 0 {
                return Err(HeadFault::Unmasked);
            }
            if first & 0x08 != 0 && code > CONTROL_BYTES_MAX {
                return Err(HeadFault::LongControl);
            }
        }
        if self.have >= 2 && self.have == length_end {
            let written = self.head[2..length_end].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            match code {
                126 if written < 126 => return Err(HeadFault::LongForm),
                127 if written >> 63 != 0 => return Err(HeadFault::TopBit),
                127 if written <= u64::from(u16::MAX) => return Err(HeadFault::LongForm),
                _ => {}
            }
        }
        if self.have >= 2 && self.have == length_end + 4 {
            self.payload_left = match code {
                126 | 127 => self.head[2..length_end].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
                _ => u64::from(code),
            };
            self.have = 0;
        }
        Ok(())
    }
}

/// When `bytes` begin with a whole binary message in one frame with the shortest head, which is all that an honest client
/// sends: unmasks it there, and says where it is and how many bytes the frame has.
pub(in crate::driver) fn short_message(bytes: &mut [u8]) -> Option<(&[u8], usize)> {
    const FIN_BINARY: u8 = 0x82;
    const MASKED: u8 = 0x80;
    const HEAD_BYTES: usize = 6;
    let &[FIN_BINARY, second, a, b, c, d, ..] = &*bytes else { return None };
    let length = usize::from(second & !MASKED);
    if second & MASKED == 0 || length > usize::from(CONTROL_BYTES_MAX) {
        return None;
    }
    let end = HEAD_BYTES + length;
    let payload = bytes.get_mut(HEAD_BYTES..end)?;
    payload.iter_mut().zip([a, b, c, d].into_iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    Some((payload, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [u8; 4] = [1, 2, 3, 4];

    fn whole(head: &[u8], payload: usize) -> Vec<u8> {
        [head, &MASK, &vec![0xFF; payload]].concat()
    }

    /// The same stream in pieces of every size.
    fn pass_in_pieces(stream: &[u8]) -> Option<(HeadFault, usize)> {
        let mut found = Vec::new();
        for size in 1..=stream.len() {
            let mut heads = Heads::default();
            let mut before = 0;
            let fault = stream.chunks(size).find_map(|chunk| {
                let fault = heads.pass(chunk).err().map(|(fault, good)| (fault, before + good));
                before += chunk.len();
                fault
            });
            found.push(fault);
        }
        // Of a head in two pieces the first has passed already.
        let kinds: Vec<_> = found.iter().map(|fault| fault.map(|(fault, _)| fault)).collect();
        assert!(kinds.windows(2).all(|two| two[0] == two[1]), "{found:?}");
        *found.last().expect("one piece at least")
    }

    #[test]
    fn good_frames_pass() {
        let stream = [
            whole(&[0x82, 0x80], 0),
            whole(&[0x82, 0x80 | 125], 125),
            whole(&[0x82, 0xFE, 0, 126], 126),
            whole(&[0x89, 0x80 | 125], 125),
            whole(&[0x02, 0xFE, 1, 44], 300),
            whole(&[0x80, 0x81], 1),
        ];
        assert_eq!(pass_in_pieces(&stream.concat()), None);
        let mut heads = Heads::default();
        assert_eq!(heads.pass(&whole(&[0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0], 65_536)), Ok(()));
        assert_eq!(heads.pass(&[0x82, 0]), Err((HeadFault::Unmasked, 0)));
    }

    #[test]
    fn what_is_short_is_whole_masked_and_binary() {
        for length in [0, 1, 4, 50, 125] {
            let mut bytes = whole(&[0x82, 0x80 | length], usize::from(length));
            let frame = bytes.len();
            let plain: Vec<u8> = (0..usize::from(length)).map(|at| 0xFF ^ MASK[at % 4]).collect();
            for missing in 1..=frame {
                assert_eq!(short_message(&mut bytes.clone()[..frame - missing]), None);
            }
            bytes.extend([0x82, 0x81]);
            assert_eq!(short_message(&mut bytes), Some((&plain[..], frame)));
        }
        // Text, a fragment, a ping, one without a mask, one with a longer head, reserved bits.
        for head in [[0x81, 0x81], [0x02, 0x81], [0x89, 0x81], [0x82, 0x01], [0x82, 0xFE], [0xC2, 0x81]] {
            assert_eq!(short_message(&mut whole(&head, 300)), None, "{head:?}");
        }
    }

    #[test]
    fn each_fault_is_found_at_its_head() {
        let good = whole(&[0x82, 0x83], 3);
        for (head, fault) in [
            (&[0x82, 3][..], HeadFault::Unmasked),
            (&[0x89, 0xFE], HeadFault::LongControl),
            (&[0x88, 0xFF], HeadFault::LongControl),
            (&[0x82, 0xFE, 0, 125], HeadFault::LongForm),
            (&[0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], HeadFault::LongForm),
            (&[0x82, 0xFF, 0x80, 0, 0, 0, 0, 1, 0, 0], HeadFault::TopBit),
        ] {
            let stream = [&good[..], &good, head].concat();
            assert_eq!(pass_in_pieces(&stream), Some((fault, 2 * good.len())), "{head:?}");
        }
    }
}
