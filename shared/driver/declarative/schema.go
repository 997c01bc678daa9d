package declarative

import _ "embed" // the schema is a file, so that editors can be given it

// Schema is the JSON Schema (draft 2020-12) of documents, for editors. It tells less than Parse, which has the last word: that names
// are of fields that exist, and which keys can stand together.
//
//go:embed schema.json
var Schema []byte
