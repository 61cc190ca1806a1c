// The bookshop as PostGraphile 5 derives it from the tables, on Fastify 5 with the plugins of the peer beside it.

import { readFileSync } from "node:fs";
import cors from "@fastify/cors";
import helmet from "@fastify/helmet";
import jwt from "@fastify/jwt";
import rateLimit from "@fastify/rate-limit";
import Fastify from "fastify";
import pg from "pg";
import { postgraphile } from "postgraphile";
import { grafserv } from "postgraphile/grafserv/fastify/v5";
import { preset } from "./graphile.config.js";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });

// One access line per request, written by the hook below, instead of Fastify's two.
const app = Fastify({ logger: true, disableRequestLogging: true });
app.addHook("onResponse", async (request, reply) => {
  request.log.info({ method: request.method, url: request.url, status: reply.statusCode, ms: reply.elapsedTime });
});

await app.register(helmet);
await app.register(cors, { origin: ["https://shop.example"] });
await app.register(rateLimit, { max: 1e9, timeWindow: "15 minutes" });
await app.register(jwt, {
  secret: { public: readFileSync(process.env.PUBLIC_KEY_FILE) },
  verify: { algorithms: ["EdDSA"], allowedIss: "gatepost", allowedAud: "gatepost", cache: true },
});

async function authenticate(request) {
  await request.jwtVerify();
  const text = "SELECT id, roles, is_active FROM users WHERE id = $1";
  const found = await pool.query({ name: "user", text, values: [request.user.sub] });
  request.user = found.rows[0];
  if (!request.user?.is_active) throw Object.assign(new Error("The user is not active"), { statusCode: 401 });
}

app.get("/livez", async () => ({ status: "ok" }));

await app.register(async (api) => {
  api.addHook("onRequest", authenticate);
  await postgraphile(preset(pool)).createServ(grafserv).addTo(api);
});

await app.listen({ port: Number(process.env.PORT), host: "127.0.0.1" });
