/** An encrypting payload codec: AES-256-GCM, a nonce of its own for each payload. Bound to its workflow: one that is moved to another is none. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { ValueError, type Payload, type PayloadCodec, type SerializationContext } from '@temporalio/common';
import proto from '@temporalio/proto';

// A CommonJS module, whose names Node does not find by itself.
const { Payload: Wire } = proto.temporal.api.common.v1;

export const ENCRYPTED = 'binary/encrypted';
const ENCODING = 'encoding';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export class AesCodec implements PayloadCodec {
  private readonly key: Buffer;

  constructor(key = randomBytes(32)) {
    this.key = key;
  }

  async encode(payloads: Payload[], context?: SerializationContext): Promise<Payload[]> {
    return Promise.resolve(
      payloads.map((payload) => {
        const nonce = randomBytes(NONCE_BYTES);
        const cipher = createCipheriv('aes-256-gcm', this.key, nonce).setAAD(about(context));
        const sealed = [cipher.update(Wire.encode(payload).finish()), cipher.final()];
        const data = Buffer.concat([nonce, cipher.getAuthTag(), ...sealed]);
        return { metadata: { [ENCODING]: Buffer.from(ENCRYPTED) }, data };
      }),
    );
  }

  async decode(payloads: Payload[], context?: SerializationContext): Promise<Payload[]> {
    return Promise.resolve(
      payloads.map((payload) => {
        if (Buffer.from(payload.metadata?.[ENCODING] ?? []).toString() !== ENCRYPTED) return payload;
        const data = Buffer.from(payload.data ?? []);
        const decipher = createDecipheriv('aes-256-gcm', this.key, data.subarray(0, NONCE_BYTES))
          .setAAD(about(context))
          .setAuthTag(data.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
        try {
          return Wire.decode(
            Buffer.concat([decipher.update(data.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]),
          );
        } catch (error) {
          // Another key, or not what was written: it can never be decoded.
          throw new ValueError('It was encrypted with another key.', error);
        }
      }),
    );
  }
}

function about(context: SerializationContext | undefined): Buffer {
  return Buffer.from(`${context?.namespace} ${context?.workflowId}`);
}
