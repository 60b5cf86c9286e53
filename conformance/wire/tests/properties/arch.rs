//! Arbitrary syndromes, ops and answers of each architecture.

mod aarch64;

use proptest::prelude::*;
use wire::arch::{Answer, Op, Raw};

pub fn raw() -> impl Strategy<Value = Raw> {
    aarch64::syndrome().prop_map(Raw::Aarch64)
}

pub fn op() -> impl Strategy<Value = Op> {
    aarch64::op().prop_map(Op::Aarch64)
}

pub fn answer() -> impl Strategy<Value = Answer> {
    aarch64::answer().prop_map(Answer::Aarch64)
}
