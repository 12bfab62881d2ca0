// A client made of gRPC's own packages for JavaScript and the project's .proto. It
// reads a job from standard input, makes one call, and writes what came back.
//
//   {"proto", "address", "headers": {name: value}, "hotkey", "tokens": [[id, …], …], "topk"}
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import protobuf from "protobufjs";
import { readFileSync } from "node:fs";

const job = JSON.parse(readFileSync(0, "utf8"));
const definition = loader.loadSync(job.proto, { keepCase: true, longs: Number, enums: Number, bytes: Buffer });
const { Bittensor } = grpc.loadPackageDefinition(definition);
const client = new Bittensor(job.address, grpc.credentials.createInsecure());

// bin is a binary string of msgpack, for the array format's keys and data.
const bin = (b) => {
  const size = b.length < 256 ? Buffer.from([0xc4, b.length]) : Buffer.from([0xc5, b.length >> 8, b.length & 255]);
  return Buffer.concat([size, b]);
};
const key = (name) => bin(Buffer.from(name));

// int64s is a matrix of ids in the array format, as numpy's library for msgpack writes it.
function int64s(rows) {
  const data = Buffer.alloc(8 * rows.length * rows[0].length);
  rows.flat().forEach((id, i) => data.writeBigInt64LE(BigInt(id), 8 * i));
  return Buffer.concat([
    Buffer.from([0x85]), key("nd"), Buffer.from([0xc3]),
    key("type"), Buffer.from([0xa3]), Buffer.from("<i8"),
    key("kind"), bin(Buffer.alloc(0)),
    key("shape"), Buffer.from([0x92, rows.length, rows[0].length]),
    key("data"), bin(data),
  ]);
}

// float32s reads the numbers at the end of an array of so many.
function float32s(buffer, count) {
  const data = buffer.subarray(buffer.length - 4 * count);
  return Array.from({ length: count }, (_, i) => data.readFloatLE(4 * i));
}

const settings = protobuf.loadSync(job.proto).lookupType("TextCausalLM").encode({ topk: job.topk }).finish();

const request = {
  version: 370,
  hotkey: job.hotkey,
  tensors: [{ version: 370, buffer: int64s(job.tokens), shape: [job.tokens.length, job.tokens[0].length], dtype: 4 }],
  synapses: [{ synapse_type: 2, synapse_data: settings }],
};
const metadata = new grpc.Metadata();
for (const [name, value] of Object.entries(job.headers)) metadata.set(name, value);

client.Forward(request, metadata, { deadline: Date.now() + 30000 }, (error, reply) => {
  if (error) {
    console.log(JSON.stringify({ status: error.code, details: error.details }));
  } else {
    const count = reply.tensors.length ? reply.tensors[0].shape.reduce((a, b) => a * b, 1) : 0;
    console.log(JSON.stringify({
      status: 0,
      code: reply.return_code,
      codes: reply.synapses.map((s) => s.return_code),
      messages: reply.synapses.map((s) => s.message),
      shape: reply.tensors.map((t) => t.shape),
      numbers: count ? float32s(reply.tensors[0].buffer, count) : [],
    }));
  }
  client.close();
});
