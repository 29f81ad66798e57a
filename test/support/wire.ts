/** What lies between a client and a server: a line that can be cut, and servers that only ever say one thing. */
import { createServer as createHttp2Server } from 'node:http2';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

async function listening(server: Pick<Server, 'listen' | 'address'>): Promise<string> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export interface Line extends AsyncDisposable {
  address: string;
  /** Nobody is at its address any more. */
  cut(): Promise<void>;
}

/** A line to a server. */
export async function lineTo(address: string): Promise<Line> {
  const [host, port] = address.split(':');
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  };
  const server = createServer((near) => {
    const far = connect(Number(port), host);
    keep(near);
    keep(far);
    near.pipe(far).pipe(near);
  });
  const cut = async (): Promise<void> => {
    const closed = new Promise((resolve) => {
      server.close(resolve);
    });
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return { address: await listening(server), cut, [Symbol.asyncDispose]: cut };
}

/** A server that answers every call with one status of gRPC. */
export async function saying(status: number, message: string): Promise<{ address: string } & AsyncDisposable> {
  const open = new Set<{ destroy(): void }>();
  const server = createHttp2Server((_request, response) => {
    response.stream.respond(
      { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': status, 'grpc-message': message },
      { endStream: true },
    );
  });
  server.on('session', (session) => {
    open.add(session);
  });
  return {
    address: await listening(server),
    async [Symbol.asyncDispose]() {
      for (const session of open) session.destroy();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}
