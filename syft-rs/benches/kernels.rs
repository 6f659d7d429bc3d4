//! The steps of an encrypted update, one by one: `cargo bench -p syft --features bench`. Two sizes: digits and MNIST, ten classes each.

use divan::Bencher;
use divan::counter::ItemsCount;
use std::sync::LazyLock;
use syft::{Evaluator, Kernel, Shape};
use workload::Workload;

mod workload;

const SIZES: [usize; 2] = [65, 785];

static WORKLOADS: LazyLock<[Workload; 2]> =
    LazyLock::new(|| SIZES.map(|inputs| Workload::new(Shape { inputs, outputs: 10 })));

fn main() {
    divan::main();
}

fn workload(inputs: usize) -> &'static Workload {
    &WORKLOADS[usize::from(inputs == SIZES[1])]
}

/// The Capsule encrypts a model and makes its keys.
#[divan::bench(args = SIZES)]
fn publish(bencher: Bencher<'_, '_>, inputs: usize) {
    let work = workload(inputs);
    bencher.bench(|| work.key.publish(&work.weights));
}

/// The Mine expands masks and transforms keys.
#[divan::bench(args = SIZES)]
fn prepare(bencher: Bencher<'_, '_>, inputs: usize) {
    let work = workload(inputs);
    bencher.bench(|| Evaluator::new(&work.material, Kernel::fastest()));
}

#[divan::bench(args = SIZES)]
fn multiply_portable(bencher: Bencher<'_, '_>, inputs: usize) {
    multiply(bencher, inputs, Kernel::Portable);
}

#[divan::bench(args = SIZES)]
fn multiply_fastest(bencher: Bencher<'_, '_>, inputs: usize) {
    multiply(bencher, inputs, Kernel::fastest());
}

/// The linear map alone; the counter shows multiply-adds.
fn multiply(bencher: Bencher<'_, '_>, inputs: usize, kernel: Kernel) {
    let work = workload(inputs);
    let evaluator = Evaluator::new(&work.material, kernel);
    let words = work.params.rank() * work.params.degree() + work.params.shape().outputs;
    bencher.counter(ItemsCount::new(inputs * inputs * words)).bench(|| evaluator.multiply(&work.update));
}

/// Map and packing, without the protections.
#[divan::bench(args = SIZES)]
fn encrypt_unprotected(bencher: Bencher<'_, '_>, inputs: usize) {
    let work = workload(inputs);
    let evaluator = Evaluator::new(&work.material, Kernel::fastest());
    bencher.bench(|| evaluator.encrypt_unprotected(&work.update).expect("no coins are needed"));
}

/// A Mine's whole update.
#[divan::bench(args = SIZES)]
fn encrypt(bencher: Bencher<'_, '_>, inputs: usize) {
    let work = workload(inputs);
    let evaluator = Evaluator::new(&work.material, Kernel::fastest());
    bencher.bench(|| evaluator.encrypt(&work.update).expect("coins"));
}

/// The Capsule opens an update.
#[divan::bench(args = SIZES)]
fn decrypt(bencher: Bencher<'_, '_>, inputs: usize) {
    let work = workload(inputs);
    let upload = syft::encrypt_update(&work.material, &work.update).expect("coins");
    bencher.bench(|| work.key.decrypt(&upload));
}
