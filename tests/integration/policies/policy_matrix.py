"""The table: what every identity gets from every operation. Written by hand, from the declaration in
`policy_matrix_app.py` and the refusals that the HTTP contract promises; the app's own list of operations says which
rows have to be here.

The columns are anonymous, stranger (signed in), owner (of the row, or of what it hangs on) and editor (the role).
`+` and `-` say whether a list shows the row; 201- is a creation that the actor may not read.
"""

TABLE = """
parents.list            +    +    +    +
parents.get             200  200  200  200

open.list               +    +    +    +
open.get                200  200  200  200
open.create             201  201  201  201
open.update             200  200  200  200
open.delete             204  204  204  204

signed.list             401  +    +    +
signed.get              401  200  200  200
signed.create           401  201  201  201
signed.update           401  200  200  200
signed.delete           401  204  204  204

roled.list              401  403  403  +
roled.get               401  403  403  200
roled.create            401  403  403  201
roled.update            401  403  403  200
roled.delete            401  403  403  204

owned.list              401  -    +    -
owned.get               401  404  200  404
owned.create            401  201  201  201
owned.update            401  404  200  404
owned.delete            401  404  204  404

lines.list              401  -    +    -
lines.get               401  404  200  404
lines.create            401  403  201  403
lines.update            401  404  200  404
lines.delete            401  404  204  404

deep.list               +    +    +    +
deep.get                200  200  200  200
deep.create             401  422  201  422
deep.update             401  403  200  403
deep.delete             401  403  204  403

related.list            -    -    +    -
related.get             404  404  200  404
related.create          401  403  201  403
related.update          404  404  200  404
related.delete          404  404  204  404

either.list             401  -    +    +
either.get              401  404  200  200
either.create           401  201  201  201
either.update           401  404  200  200
either.delete           401  404  204  204

both.list               401  403  403  -
both.get                401  403  403  404
both.create             401  403  403  201
both.update             401  403  403  404
both.delete             401  403  403  404

others.list             +    +    +    +
others.get              200  200  200  200
others.create           201  201  201  201
others.update           200  200  403  200
others.delete           204  204  403  204

guests.list             +    +    +    +
guests.get              200  200  200  200
guests.create           201  403  403  403
guests.update           200  403  403  403
guests.delete           204  403  403  403

shared.list             -    -    +    +
shared.get              404  404  200  200
shared.create           401  403  201  403
shared.update           404  404  200  403
shared.delete           404  404  204  403

listed.list             -    -    -    +
listed.get              404  404  404  200
listed.create           401  403  403  201
listed.update           404  404  404  200
listed.delete           404  404  404  204

flagged.list            -    -    +    +
flagged.get             404  404  200  200
flagged.create          401  403  403  201
flagged.update          404  404  403  200
flagged.delete          404  404  403  204

mixed.list              +    +    +    +
mixed.get               401  404  200  404
mixed.create            401  201- 201- 201-
mixed.update            401  404  200  404

dropbox.create          201- 201- 201- 201-

shown.list              +    +    +    +
shown.get               200  200  200  200

serviced.list           401  -    +    +
serviced.get            401  404  200  200
serviced.create         401  201  201  201
serviced.update         401  404  200  403
serviced.delete         401  404  204  403

serviced_lines.list     +    +    +    +
serviced_lines.get      200  200  200  200
serviced_lines.create   401  403  201  403
serviced_lines.update   401  403  200  403
serviced_lines.delete   401  403  204  403

auth.login              422  422  422  422
auth.me                 401  200  200  200
livez                   200  200  200  200
readyz                  200  200  200  200
openapi.document        200  200  200  200
docs.docs               200  200  200  200
docs.file               404  404  404  404
startpage.start         200  200  200  200
problem                 404  404  404  404

console                 200  200  200  200
console.file            404  404  404  404
console.session         200  200  200  200
console.data            401  403  403  403
console.change          401  403  403  403
console.session.sign_in 422  422  422  422
console.sign_out        403  403  403  403
"""

EXPECTED: dict[str, tuple[str, ...]] = {
    name: tuple(cells) for name, *cells in (line.split() for line in TABLE.strip().splitlines() if line)
}
"""By the action's name: what anonymous, stranger, owner and editor get."""
