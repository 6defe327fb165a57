//! What a collector is sent, read back: protobuf by hand, so that no test needs a compiler for it.
//!
//! <https://github.com/open-telemetry/opentelemetry-proto>, trace.proto and resource.proto; the wire format:
//! <https://protobuf.dev/programming-guides/encoding/>.

use std::collections::BTreeMap;

/// A span, with what its resource says of the process.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) name: String,
    /// 2: error.
    pub(crate) status: u64,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) resource: BTreeMap<String, String>,
}

/// A field's value: a number, or bytes.
enum Value<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let (first, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        number |= u64::from(first & 127) << shift;
        if first & 128 == 0 {
            break;
        }
    }
    number
}

/// The fields of a message, in their order.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Value<'_>)> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let value = match key & 7 {
            0 => Value::Number(varint(&mut bytes)),
            kind => {
                let length = match kind {
                    1 => 8,
                    2 => usize::try_from(varint(&mut bytes)).unwrap(),
                    5 => 4,
                    kind => panic!("no wire type: {kind}"),
                };
                let (value, rest) = bytes.split_at(length);
                bytes = rest;
                Value::Bytes(value)
            }
        };
        all.push((key >> 3, value));
    }
    all
}

/// The messages of a field.
fn below(bytes: &[u8], field: u64) -> Vec<&[u8]> {
    let wanted = fields(bytes).into_iter().filter(|(number, _)| *number == field);
    wanted.filter_map(|(_, value)| if let Value::Bytes(bytes) = value { Some(bytes) } else { None }).collect()
}

fn first(bytes: &[u8], field: u64) -> &[u8] {
    below(bytes, field).first().copied().unwrap_or_default()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn number(bytes: &[u8], field: u64) -> Option<u64> {
    fields(bytes).into_iter().find_map(|(found, value)| match value {
        Value::Number(number) if found == field => Some(number),
        _ => None,
    })
}

/// KeyValues, numbers as texts.
fn attributes(all: Vec<&[u8]>) -> BTreeMap<String, String> {
    let value = |pair| {
        let value = first(pair, 2);
        number(value, 3).map_or_else(|| text(first(value, 1)), |number| number.to_string())
    };
    all.into_iter().map(|pair| (text(first(pair, 1)), value(pair))).collect()
}

/// The spans of an ExportTraceServiceRequest.
pub(crate) fn read(request: &[u8]) -> Vec<Span> {
    let mut spans = Vec::new();
    for process in below(request, 1) {
        let resource = attributes(below(first(process, 1), 1));
        for span in below(process, 2).into_iter().flat_map(|scope| below(scope, 2)) {
            spans.push(Span {
                trace: hex(first(span, 1)),
                id: hex(first(span, 2)),
                parent: hex(first(span, 4)),
                name: text(first(span, 5)),
                status: number(first(span, 15), 3).unwrap_or_default(),
                attributes: attributes(below(span, 9)),
                resource: resource.clone(),
            });
        }
    }
    spans
}
