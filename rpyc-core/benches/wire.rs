//! The pure layers: values, frames, messages.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rpyc_core::wire::{
    Boxed, ClassId, Dialect, FrameBuf, FrameDecoder, Handler, IdPack, InstanceId, Limits, Message,
    Seq, Value, decode_value, encode_to_vec,
};

/// A record as programs send them: numbers, names, a nested tuple.
fn record() -> Value {
    let point = Value::tuple([Value::from(1.5), Value::from(-2.25)]);
    Value::tuple([
        Value::from(1_234_567_i64),
        Value::from("a name that isn't short"),
        Value::from(true),
        Value::None,
        point,
    ])
}

fn call() -> Message {
    let object = IdPack::new("package.module.Thing", ClassId(12), InstanceId(345));
    Message::Request {
        seq: Seq::new(1000),
        handler: Handler::CallAttr,
        args: vec![
            Boxed::LocalRef(object),
            Boxed::Value(Value::from("method")),
            Boxed::Value(Value::tuple([Value::from(1_i64), Value::from("two")])),
            Boxed::Value(Value::tuple([])),
        ],
    }
}

fn frame_of(message: &Message) -> Vec<u8> {
    let mut frames = FrameBuf::new();
    let encoded = message.encode(&mut frames, Dialect::V6, &Limits::default(), false);
    assert!(encoded.is_ok(), "a small message can be encoded");
    frames.slices().collect::<Vec<_>>().concat()
}

fn brine(c: &mut Criterion) {
    let limits = Limits::default();
    let (record, many) = (record(), Value::tuple((0..1000_i64).map(Value::from)));
    for (name, value) in [("record", record), ("1000 ints", many)] {
        let bytes = Bytes::from(encode_to_vec(&value, &limits).unwrap_or_default());
        let mut group = c.benchmark_group("brine");
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(format!("encode {name}"), |b| {
            b.iter(|| encode_to_vec(black_box(&value), &limits));
        });
        group.bench_function(format!("decode {name}"), |b| {
            b.iter(|| decode_value(black_box(&bytes), &limits));
        });
    }
}

fn frame(c: &mut Criterion) {
    let stream = frame_of(&call()).repeat(64);
    let mut group = c.benchmark_group("frame");
    group.throughput(Throughput::Elements(64));
    group.bench_function("cut 64 small frames", |b| {
        let mut decoder = FrameDecoder::new(Limits::default());
        b.iter(|| {
            let mut rest = &stream[..];
            while !rest.is_empty() {
                let space = decoder.space();
                let count = space.len().min(rest.len());
                space[..count].copy_from_slice(&rest[..count]);
                decoder.advance(count);
                rest = &rest[count..];
                while let Ok(Some(payload)) = decoder.next_frame() {
                    black_box(payload);
                }
            }
        });
    });
}

fn message(c: &mut Criterion) {
    let (call, limits) = (call(), Limits::default());
    let framed = frame_of(&call);
    let payload = Bytes::copy_from_slice(&framed[5..framed.len() - 1]);
    let mut frames = FrameBuf::new();
    c.bench_function("message/encode a call", |b| {
        b.iter(|| {
            frames.clear();
            black_box(&call).encode(&mut frames, Dialect::V6, &limits, false)
        });
    });
    c.bench_function("message/decode a call", |b| {
        b.iter(|| Message::decode(black_box(&payload), Dialect::V6, &limits));
    });
}

criterion_group!(benches, brine, frame, message);
criterion_main!(benches);
