package embedded_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/store/embedded"
)

// A message is about what history keeps: 1.4 KB.
type message struct {
	ID   string             `bson:"_id"`
	Twin string             `bson:"twin"`
	At   int64              `bson:"at"`
	Data map[string]float64 `bson:"data"`
	Raw  string             `bson:"raw"`
}

const batchSize = 1000

func messages(round int) []message {
	ms := make([]message, batchSize)
	for i := range ms {
		ms[i] = message{ID: fmt.Sprintf("twin-%04d/%012d/%04d", i%100, round, i), Twin: fmt.Sprintf("twin-%04d", i%100), At: int64(round),
			Data: map[string]float64{"cpu": float64(i), "mem": 5.5, "disk": 7}, Raw: strings.Repeat("x0y1", 320)}
	}
	return ms
}

// The floor: the same documents put into Pebble as they are, with and without the time to encode them.
func BenchmarkPebbleBatch(b *testing.B) {
	for name, encoding := range map[string]bool{"bytes": false, "documents": true} {
		b.Run(name, func(b *testing.B) { benchmarkPebble(b, encoding) })
	}
}

func benchmarkPebble(b *testing.B, encoding bool) {
	db, err := pebble.Open(b.TempDir(), &pebble.Options{MemTableSize: 32 << 20, Logger: quiet{}})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	for round := 0; b.Loop(); round++ {
		b.StopTimer()
		var keys, docs [][]byte
		ms := messages(round)
		if encoding {
			b.StartTimer()
		}
		for _, m := range ms {
			doc, err := bson.Marshal(m)
			if err != nil {
				b.Fatal(err)
			}
			keys, docs = append(keys, []byte(m.ID)), append(docs, doc)
		}
		if !encoding {
			b.StartTimer()
		}
		batch := db.NewBatch()
		for i := range keys {
			batch.Set(keys[i], docs[i], nil)
		}
		if err := batch.Commit(pebble.Sync); err != nil {
			b.Fatal(err)
		}
		batch.Close()
	}
	b.ReportMetric(float64(b.N)*batchSize/b.Elapsed().Seconds(), "docs/s")
}

func BenchmarkInsertMany(b *testing.B) {
	for name, indexes := range map[string][]store.Index{
		"no index":  nil,
		"one index": {{Name: "by-twin", Fields: []string{"twin", "-at"}}},
	} {
		b.Run(name, func(b *testing.B) {
			db, err := embedded.Open(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			c, err := store.Open[message](b.Context(), db, store.Spec{Name: "history", Indexes: indexes})
			if err != nil {
				b.Fatal(err)
			}
			for round := 0; b.Loop(); round++ {
				b.StopTimer()
				ms := messages(round)
				b.StartTimer()
				if _, err := c.InsertMany(b.Context(), ms); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*batchSize/b.Elapsed().Seconds(), "docs/s")
		})
	}
}

func BenchmarkLoadAndReplace(b *testing.B) {
	db, err := embedded.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	c, err := store.Open[message](b.Context(), db, store.Spec{Name: "twins", Indexes: []store.Index{{Name: "by-twin", Fields: []string{"twin"}}}})
	if err != nil {
		b.Fatal(err)
	}
	ms := messages(0)[:500]
	if _, err := c.InsertMany(b.Context(), ms); err != nil {
		b.Fatal(err)
	}
	var ids []string
	for _, m := range ms {
		ids = append(ids, m.ID)
	}
	for b.Loop() {
		docs, err := c.Load(b.Context(), ids)
		if err != nil {
			b.Fatal(err)
		}
		for _, d := range docs {
			d.Value.At++
		}
		if _, err := c.ReplaceMany(b.Context(), docs); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*float64(len(ids))/b.Elapsed().Seconds(), "docs/s")
}

type quiet struct{}

func (quiet) Infof(string, ...any)      {}
func (quiet) Errorf(string, ...any)     {}
func (quiet) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
