//! Randomness comes from here, and from nowhere else (clippy.toml).

/// `N` bytes nobody can guess.
#[expect(clippy::disallowed_methods, reason = "the one place that may")]
#[expect(clippy::expect_used, reason = "without the system's randomness nothing here may go on")]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system's randomness");
    bytes
}
