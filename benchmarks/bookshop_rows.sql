-- 2,000 authors and 100,000 books; the same rows in every run but for their keys.

SELECT setseed(0.42);

INSERT INTO authors (name)
SELECT format('%s %s',
    (ARRAY['Ada', 'Ursula', 'Italo', 'Toni', 'Jorge', 'Clarice', 'Chinua', 'Wisława'])[1 + n % 8],
    'Author ' || n)
FROM generate_series(1, 2000) AS n;

WITH numbered AS (SELECT id, row_number() OVER (ORDER BY id) AS n FROM authors)
INSERT INTO books (title, price, stock, author_id)
SELECT format('The %s %s of volume %s',
        (ARRAY['silent', 'left', 'invisible', 'burning', 'first', 'patient', 'paper'])[1 + b % 7],
        (ARRAY['sea', 'hand', 'city', 'library', 'garden'])[1 + b % 5],
        b),
    round((1 + 99 * random())::numeric, 2),
    (b * 7919) % 40,
    numbered.id
FROM generate_series(1, 100000) AS b
JOIN numbered ON numbered.n = 1 + (b * 31) % 2000;
