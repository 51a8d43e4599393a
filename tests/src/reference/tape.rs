//! A row of bits that is either written or read.

/// The bits are not what they should be: too few, or a value that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// Bits, and which way they go. Writing never refuses.
#[derive(Clone, Debug)]
pub struct Tape {
    bits: Vec<bool>,
    /// Where reading stands; `None` while writing.
    read: Option<usize>,
}

impl Tape {
    /// An empty one to write.
    #[must_use]
    pub fn writing() -> Self {
        Self { bits: Vec::new(), read: None }
    }

    /// One to read, from a bit of `bytes` on: the lowest bit of the first byte is bit 0.
    #[must_use]
    pub fn reading(bytes: &[u8], from: usize) -> Self {
        let bits = bytes.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1)).collect();
        Self { bits, read: Some(from) }
    }

    /// All bits.
    #[must_use]
    pub fn bits(&self) -> &[bool] {
        &self.bits
    }

    /// How many bits were written, or read.
    #[must_use]
    pub fn position(&self) -> usize {
        self.read.unwrap_or(self.bits.len())
    }

    /// Whether it is being read.
    #[must_use]
    pub fn reads(&self) -> bool {
        self.read.is_some()
    }

    /// One bit.
    ///
    /// # Errors
    /// [`Refused`] when there is none left.
    pub fn bit(&mut self, bit: bool) -> Result<bool, Refused> {
        let Some(at) = &mut self.read else {
            self.bits.push(bit);
            return Ok(bit);
        };
        let bit = *self.bits.get(*at).ok_or(Refused)?;
        *at += 1;
        Ok(bit)
    }

    /// A number of `count` bits, the lowest first.
    ///
    /// # Errors
    /// [`Refused`] when there are not as many left.
    pub fn number(&mut self, value: i64, count: u32) -> Result<i64, Refused> {
        let mut taken = 0;
        for place in 0..count {
            taken |= i64::from(self.bit(value >> place & 1 == 1)?) << place;
        }
        Ok(taken)
    }

    /// An Exp-Golomb code of order `k`.
    ///
    /// # Errors
    /// [`Refused`] when it does not end or is above 32 bits.
    pub fn golomb(&mut self, value: i64, k: u32) -> Result<i64, Refused> {
        let shifted = (value >> k) + 1;
        let mut zeros = 0;
        while !self.bit(zeros == shifted.ilog2())? {
            zeros += 1;
            if zeros > 32 {
                return Err(Refused);
            }
        }
        let high = (1 << zeros) | self.number(shifted & !(1 << zeros), zeros)?;
        Ok((high - 1) << k | self.number(value & ((1 << k) - 1), k)?)
    }
}
