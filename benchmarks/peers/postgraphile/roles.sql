-- The access control that PostGraphile derives its schema from, beside the tables: it connects as bookshop_server, which
-- may read who the user is, and runs each request as the role of that user.

CREATE ROLE bookshop_server LOGIN NOINHERIT;
CREATE ROLE bookshop_user;
CREATE ROLE bookshop_editor IN ROLE bookshop_user;
GRANT bookshop_user, bookshop_editor TO bookshop_server;

GRANT USAGE ON SCHEMA public TO bookshop_server, bookshop_user;
GRANT SELECT (id, roles, is_active) ON users TO bookshop_server;
GRANT SELECT ON books, authors TO bookshop_user;
GRANT INSERT (title, price, stock, author_id), UPDATE (title, price, stock) ON books TO bookshop_editor;
