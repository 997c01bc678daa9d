package embedded_test

import (
	"bytes"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/store/embedded"
)

// Tests that look for secrets in the files rely on this: without compression, what is stored can be found there.
func TestNoCompression(t *testing.T) {
	dir := t.TempDir()
	secret := strings.Repeat("open sesame ", 100)
	for range 2 { // opening again sorts the log's documents into a table
		db, err := embedded.Open(dir, embedded.NoCompression())
		check(t, err)
		c, err := openReadings(db)
		check(t, err)
		check(t, c.PutMany(t.Context(), []reading{{ID: "a", Twin: secret, Serial: "1"}}))
		check(t, db.Close())
	}
	inTable := false
	files := os.DirFS(dir)
	check(t, fs.WalkDir(files, ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".sst") {
			return err
		}
		b, err := fs.ReadFile(files, path)
		inTable = inTable || bytes.Contains(b, []byte(secret))
		return err
	}))
	if !inTable {
		t.Error("no table has the text as it is")
	}
}
