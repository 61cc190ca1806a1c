// The bookshop in Express 5: helmet, cors, express-rate-limit, winston, jsonwebtoken, joi, knex.

import { readFileSync } from "node:fs";
import cors from "cors";
import express from "express";
import { rateLimit } from "express-rate-limit";
import helmet from "helmet";
import Joi from "joi";
import jwt from "jsonwebtoken";
import knex from "knex";
import winston from "winston";

const publicKey = readFileSync(process.env.PUBLIC_KEY_RSA_FILE);
const db = knex({ client: "pg", connection: { connectionString: process.env.DATABASE_URL }, pool: { min: 2, max: 10 } });
const logger = winston.createLogger({
  format: winston.format.combine(winston.format.timestamp(), winston.format.json()),
  transports: [new winston.transports.Console()],
});

const newBook = Joi.object({
  title: Joi.string().min(1).max(200).required(),
  price: Joi.string().pattern(/^\d{1,8}(\.\d{1,2})?$/).required(),
  author_id: Joi.string().guid().required(),
  stock: Joi.number().integer().min(0).max(2147483647).default(0),
});
const changedBook = newBook.fork(["title", "price"], (field) => field.optional()).fork(["author_id"], (field) =>
  field.forbidden(),
).fork(["stock"], () => Joi.number().integer().min(0).max(2147483647));
const listQuery = Joi.object({
  "price[lt]": Joi.string().pattern(/^\d{1,8}(\.\d{1,2})?$/),
  sort: Joi.string().valid("-price").default("-price"),
  limit: Joi.number().integer().min(1).max(100).default(20),
  after: Joi.string().base64({ urlSafe: true, paddingRequired: false }),
});
const bookId = Joi.string().guid().required();

class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

function check(schema, value) {
  const { error, value: checked } = schema.validate(value);
  if (error) throw new Refusal(422, error.message);
  return checked;
}

async function authenticate(req, res, next) {
  const [scheme, token] = (req.headers.authorization ?? "").split(" ");
  if (scheme !== "Bearer" || !token) throw new Refusal(401, "A token is needed");
  let claims;
  try {
    claims = jwt.verify(token, publicKey, { algorithms: ["RS256"], issuer: "gatepost", audience: "gatepost" });
  } catch {
    throw new Refusal(401, "The token is not valid");
  }
  req.user = await db("users").where({ id: claims.sub }).first();
  if (!req.user?.is_active) throw new Refusal(401, "The user is not active");
  next();
}

function editor(req, res, next) {
  if (!req.user.roles.includes("editor")) throw new Refusal(403, "Only editors may do this");
  next();
}

const app = express();
app.use((req, res, next) => {
  const started = process.hrtime.bigint();
  res.on("finish", () => {
    const milliseconds = Number(process.hrtime.bigint() - started) / 1e6;
    logger.info({ message: "request", method: req.method, url: req.originalUrl, status: res.statusCode, milliseconds });
  });
  next();
});
app.use(helmet());
app.use(cors({ origin: ["https://shop.example"] }));
app.use(rateLimit({ windowMs: 15 * 60 * 1000, limit: 1e9, standardHeaders: "draft-8", legacyHeaders: false }));
app.use(express.json({ type: ["application/json", "application/merge-patch+json"] }));

app.get("/livez", (req, res) => res.json({ status: "ok" }));

const api = express.Router();
api.use(authenticate);

api.get("/books", async (req, res) => {
  const query = check(listQuery, req.query);
  const statement = db("books").orderBy([{ column: "price", order: "desc" }, { column: "id", order: "desc" }]);
  if (query["price[lt]"]) statement.where("price", "<", query["price[lt]"]);
  if (query.after) {
    statement.whereRaw("(price, id) < (?, ?)", JSON.parse(Buffer.from(query.after, "base64url").toString()));
  }
  const rows = await statement.limit(query.limit + 1);
  const data = rows.slice(0, query.limit);
  const last = data.at(-1);
  const next = rows.length > query.limit
    ? Buffer.from(JSON.stringify([last.price, last.id])).toString("base64url")
    : null;
  res.json({ data, page: { limit: query.limit, next, prev: null } });
});

api.get("/books/:id", async (req, res) => {
  const book = await db("books").where({ id: check(bookId, req.params.id) }).first();
  if (!book) throw new Refusal(404, "No such book");
  res.set("ETag", `"${book.version}"`).json({ data: book });
});

api.post("/books", editor, async (req, res) => {
  const [book] = await db("books").insert(check(newBook, req.body)).returning("*");
  res.status(201).location(`/api/books/${book.id}`).set("ETag", `"${book.version}"`).json({ data: book });
});

api.patch("/books/:id", editor, async (req, res) => {
  const changes = check(changedBook, req.body);
  const [book] = await db("books").where({ id: check(bookId, req.params.id) }).update(changes).returning("*");
  if (!book) throw new Refusal(404, "No such book");
  res.set("ETag", `"${book.version}"`).json({ data: book });
});

app.use("/api", api);
app.use((error, req, res, next) => {
  const status = error.code === "23503" ? 422 : (error.status ?? 500);
  if (status === 500) logger.error({ message: error.message, stack: error.stack });
  res.status(status).json({ status, detail: status === 500 ? "Internal error" : error.message });
});

app.listen(Number(process.env.PORT), "127.0.0.1");
