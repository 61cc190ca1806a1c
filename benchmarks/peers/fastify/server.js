// The bookshop in Fastify 5: helmet, cors, rate-limit and jwt plugins, pg with named statements, pino.

import { readFileSync } from "node:fs";
import cors from "@fastify/cors";
import helmet from "@fastify/helmet";
import jwt from "@fastify/jwt";
import rateLimit from "@fastify/rate-limit";
import Fastify from "fastify";
import pg from "pg";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
const query = (name, text, values) => pool.query({ name, text, values });

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
app.addContentTypeParser("application/merge-patch+json", { parseAs: "string" }, app.getDefaultJsonParser("error", "error"));

const price = { type: "string", pattern: "^\\d{1,8}(\\.\\d{1,2})?$" };
const title = { type: "string", minLength: 1, maxLength: 200 };
const stock = { type: "integer", minimum: 0, maximum: 2147483647 };
const uuid = { type: "string", format: "uuid" };
const time = { type: "string", format: "date-time" };
const book = {
  type: "object",
  properties: {
    id: { type: "string" }, title: { type: "string" }, price: { type: "string" }, stock: { type: "integer" },
    author_id: { type: "string" }, created_at: time, updated_at: time, version: { type: "integer" },
  },
};
const bookBody = { type: "object", properties: { data: book } };
const page = {
  type: "object",
  properties: {
    data: { type: "array", items: book },
    page: {
      type: "object",
      properties: {
        limit: { type: "integer" },
        next: { type: ["string", "null"] },
        prev: { type: ["string", "null"] },
      },
    },
  },
};
const params = { type: "object", properties: { id: uuid }, required: ["id"] };

function refuse(status, message) {
  return Object.assign(new Error(message), { statusCode: status });
}

async function authenticate(request) {
  await request.jwtVerify();
  const found = await query("user", "SELECT id, email, roles, is_active FROM users WHERE id = $1", [request.user.sub]);
  request.user = found.rows[0];
  if (!request.user?.is_active) throw refuse(401, "The user is not active");
}

async function editor(request) {
  if (!request.user.roles.includes("editor")) throw refuse(403, "Only editors may do this");
}

app.setErrorHandler((error, request, reply) => {
  const status = error.code === "23503" || error.validation ? 422 : (error.statusCode ?? 500);
  if (status === 500) request.log.error(error);
  reply.code(status).send({ status, detail: status === 500 ? "Internal error" : error.message });
});

app.get("/livez", async () => ({ status: "ok" }));

app.register(async (api) => {
  api.addHook("onRequest", authenticate);

  api.get("/books", {
    schema: {
      querystring: {
        type: "object",
        properties: {
          "price[lt]": price,
          sort: { type: "string", enum: ["-price"] },
          limit: { type: "integer", minimum: 1, maximum: 100, default: 20 },
          after: { type: "string" },
        },
      },
      response: { 200: page },
    },
  }, async (request) => {
    const { limit, after, "price[lt]": below } = request.query;
    const conditions = [];
    const values = [limit + 1];
    if (below) conditions.push(`price < $${values.push(below)}`);
    if (after) {
      const [price, id] = JSON.parse(Buffer.from(after, "base64url").toString());
      conditions.push(`(price, id) < ($${values.push(price)}, $${values.push(id)})`);
    }
    const where = conditions.length ? `WHERE ${conditions.join(" AND ")}` : "";
    const { rows } = await query(
      `page${below ? "_below" : ""}${after ? "_after" : ""}`,
      `SELECT * FROM books ${where} ORDER BY price DESC, id DESC LIMIT $1`,
      values,
    );
    const data = rows.slice(0, limit);
    const last = data.at(-1);
    const next = rows.length > limit ? Buffer.from(JSON.stringify([last.price, last.id])).toString("base64url") : null;
    return { data, page: { limit, next, prev: null } };
  });

  api.get("/books/:id", { schema: { params, response: { 200: bookBody } } }, async (request, reply) => {
    const { rows } = await query("book", "SELECT * FROM books WHERE id = $1", [request.params.id]);
    if (rows.length === 0) throw refuse(404, "No such book");
    reply.header("ETag", `"${rows[0].version}"`);
    return { data: rows[0] };
  });

  api.post("/books", {
    preHandler: editor,
    schema: {
      body: {
        type: "object",
        additionalProperties: false,
        properties: { title, price, author_id: uuid, stock: { ...stock, default: 0 } },
        required: ["title", "price", "author_id"],
      },
      response: { 201: bookBody },
    },
  }, async (request, reply) => {
    const { title, price, stock, author_id } = request.body;
    const { rows } = await query(
      "create",
      "INSERT INTO books (title, price, stock, author_id) VALUES ($1, $2, $3, $4) RETURNING *",
      [title, price, stock, author_id],
    );
    reply.code(201).header("Location", `/api/books/${rows[0].id}`).header("ETag", `"${rows[0].version}"`);
    return { data: rows[0] };
  });

  api.patch("/books/:id", {
    preHandler: editor,
    schema: {
      params,
      body: { type: "object", additionalProperties: false, properties: { title, price, stock } },
      response: { 200: bookBody },
    },
  }, async (request, reply) => {
    const { title, price, stock } = request.body;
    const { rows } = await query(
      "change",
      `UPDATE books SET title = coalesce($2, title), price = coalesce($3, price), stock = coalesce($4, stock)
       WHERE id = $1 RETURNING *`,
      [request.params.id, title ?? null, price ?? null, stock ?? null],
    );
    if (rows.length === 0) throw refuse(404, "No such book");
    reply.header("ETag", `"${rows[0].version}"`);
    return { data: rows[0] };
  });
}, { prefix: "/api" });

await app.listen({ port: Number(process.env.PORT), host: "127.0.0.1" });
