package embedded_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/store/embedded"
)

// Damage is found, told in one line, and made no worse.
func TestDamage(t *testing.T) {
	for name, damage := range map[string]struct {
		glob string
		do   func(t *testing.T, file string)
	}{
		"a manifest of nonsense": {"MANIFEST-*", overwrite},
		"a manifest cut off":     {"MANIFEST-*", func(t *testing.T, f string) { check(t, os.Truncate(f, 3)) }},
		"no manifest":            {"MANIFEST-*", remove},
		"a table of nonsense":    {"*.sst", overwrite},
		"a table missing":        {"*.sst", remove},
		"a table cut off":        {"*.sst", func(t *testing.T, f string) { check(t, os.Truncate(f, 100)) }},
		"a format nobody knows": {"marker.format-version*", func(t *testing.T, f string) {
			check(t, os.Rename(f, filepath.Join(filepath.Dir(f), "marker.format-version.000099.999")))
		}},
		"a directory in its place": {"MANIFEST-*", func(t *testing.T, f string) { remove(t, f); check(t, os.Mkdir(f, 0o700)) }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			fill(t, dir)
			files, err := filepath.Glob(filepath.Join(dir, damage.glob))
			if err != nil || len(files) == 0 {
				t.Fatalf("no file %s in %v", damage.glob, dir)
			}
			for _, f := range files {
				damage.do(t, f)
			}
			db, err := embedded.Open(dir)
			if err == nil { // it may be found only when it is read
				var c *store.Collection[reading]
				if c, err = openReadings(db); err == nil {
					err = c.Scan(t.Context(), store.Query{}, func(reading) error { return nil })
				}
				db.Close()
			}
			if !errors.Is(err, store.ErrDamaged) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want ErrDamaged in one line", err)
			}
		})
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, file string) { t.Helper(); check(t, os.Remove(file)) }

func overwrite(t *testing.T, file string) {
	t.Helper()
	b, err := os.ReadFile(file)
	check(t, err)
	for i := range b {
		b[i] = byte(i * 31)
	}
	check(t, os.WriteFile(file, b, 0o600))
}

// fill makes a database with documents in sorted tables.
func fill(t *testing.T, dir string) {
	t.Helper()
	for range 2 { // opening flushes what the log holds
		db, err := embedded.Open(dir)
		check(t, err)
		c, err := openReadings(db)
		check(t, err)
		var rs []reading
		for i := range 1000 {
			id := fmt.Sprint("r", i)
			rs = append(rs, reading{ID: id, Twin: "t", Number: int64(i), Serial: id})
		}
		check(t, c.PutMany(t.Context(), rs))
		check(t, db.Close())
	}
}
