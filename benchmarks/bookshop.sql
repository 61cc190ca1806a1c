-- The bookshop's tables, as the declaration in examples/bookshop derives them, for servers that do not migrate.

CREATE TABLE users (
    id            uuid PRIMARY KEY DEFAULT uuidv7(),
    email         text NOT NULL UNIQUE,
    password_hash text NOT NULL,
    roles         text[] NOT NULL DEFAULT '{}',
    is_active     boolean NOT NULL DEFAULT true,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    version       integer NOT NULL DEFAULT 1
);

CREATE TABLE authors (
    id         uuid PRIMARY KEY DEFAULT uuidv7(),
    name       varchar(200) NOT NULL CHECK (length(name) >= 1),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    version    integer NOT NULL DEFAULT 1
);
CREATE INDEX authors_name_id ON authors (name, id);

CREATE TABLE books (
    id         uuid PRIMARY KEY DEFAULT uuidv7(),
    title      varchar(200) NOT NULL CHECK (length(title) >= 1),
    price      numeric(10, 2) NOT NULL CHECK (price >= 0),
    stock      integer NOT NULL DEFAULT 0 CHECK (stock >= 0),
    author_id  uuid NOT NULL REFERENCES authors (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    version    integer NOT NULL DEFAULT 1
);
CREATE INDEX books_author_id ON books (author_id);
CREATE INDEX books_price_id ON books (price, id);
CREATE INDEX books_title_id ON books (title, id);

CREATE TABLE orders (
    id         uuid PRIMARY KEY DEFAULT uuidv7(),
    book_id    uuid NOT NULL REFERENCES books (id),
    quantity   integer NOT NULL CHECK (quantity BETWEEN 1 AND 100),
    buyer_id   uuid NOT NULL REFERENCES users (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    version    integer NOT NULL DEFAULT 1
);
CREATE INDEX orders_book_id ON orders (book_id);
CREATE INDEX orders_buyer_id ON orders (buyer_id);

-- The version is bumped by a trigger, whoever writes: no server has to remember it.
CREATE FUNCTION bump_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    NEW.updated_at := now();
    RETURN NEW;
END $$;

CREATE TRIGGER users_version BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION bump_version();
CREATE TRIGGER authors_version BEFORE UPDATE ON authors FOR EACH ROW EXECUTE FUNCTION bump_version();
CREATE TRIGGER books_version BEFORE UPDATE ON books FOR EACH ROW EXECUTE FUNCTION bump_version();
CREATE TRIGGER orders_version BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION bump_version();
