package main

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/store/embedded"
	mongostore "github.com/castor-iot/castor/shared/store/mongo"
	testmongo "github.com/castor-iot/castor/tests/mongo"
)

// A document is about what history keeps: 1.4 KB.
type document struct {
	ID       string             `bson:"_id"`
	Twin     string             `bson:"twin"`
	At       int64              `bson:"at"`
	Data     map[string]float64 `bson:"data"`
	Raw      string             `bson:"raw"`
	Revision int64              `bson:"revision,omitempty"` // of those the raw driver writes
}

const (
	documents = 100_000
	batch     = 1000 // documents of one insert
	swap      = 500  // of one read and update
	page      = 100  // of one find
)

// made is document i of many that are spread over so many twins.
func made(i, twins int) document {
	return document{ID: key(i, twins), Twin: twinOf(i % twins), At: int64(i),
		Data: map[string]float64{"cpu": float64(i), "mem": 5.5, "disk": 7}, Raw: strings.Repeat("x0y1", 320)}
}

func twinOf(n int) string     { return fmt.Sprintf("twin-%03d", n) }
func key(i, twins int) string { return fmt.Sprintf("%s/%09d", twinOf(i%twins), i) }

// A keeper keeps documents in one of four ways: our store or what is below it.
type keeper interface {
	insert(ctx context.Context, docs []document) error
	update(ctx context.Context, ids []string) error     // read, change and write back what is unchanged since
	find(ctx context.Context, twin string) (int, error) // newest first, by the index
}

func measureStore(ctx context.Context, b *bench) error {
	db, err := embedded.Open(filepath.Join(b.dir, "store"))
	if err != nil {
		return err
	}
	ours, err := openPortable(ctx, db)
	if err != nil {
		return err
	}
	floor, err := openPebble(filepath.Join(b.dir, "pebble"))
	if err != nil {
		return err
	}
	if err := b.keep(ctx, "embedded", documents, ours, "raw Pebble, same documents, keys and options", floor); err != nil {
		return err
	}
	if err := floor.db.Close(); err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	return nil
}

// measureMongo is measureStore on MongoDB. The stand-in looks at every document when it swaps one, so it gets only a few.
func measureMongo(ctx context.Context, b *bench) error {
	server, err := testmongo.Any()
	if err != nil {
		fmt.Println("store on MongoDB: not measured,", err)
		return nil
	}
	name := fmt.Sprintf("castor-load-%d", time.Now().UnixNano())
	u, err := url.Parse(server.URL)
	if err != nil {
		return err
	}
	u.Path = "/" + name
	mdb, err := mongostore.Open(ctx, u.String())
	if err != nil {
		return err
	}
	defer mdb.Close()
	ours, err := openPortable(ctx, mdb)
	if err != nil {
		return err
	}
	client, err := mongo.Connect(options.Client().ApplyURI(u.String()))
	if err != nil {
		return err
	}
	defer client.Disconnect(ctx)
	defer client.Database(name).Drop(ctx)
	raw := rawMongo{client.Database(name).Collection("raw")}
	if _, err := raw.c.Indexes().CreateOne(ctx, mongo.IndexModel{Keys: bson.D{{Key: "twin", Value: 1}, {Key: "at", Value: -1}}}); err != nil {
		return err
	}
	docs := documents
	if server.StandIn {
		docs /= 20
	}
	return b.keep(ctx, "MongoDB", docs, ours, "raw driver, "+server.Name, raw)
}

// keep measures three kinds of work, a step of ours and a step of the floor in turns, so that both see the same machine.
func (b *bench) keep(ctx context.Context, what string, documents int, ours keeper, floorIs string, floor keeper) error {
	twins := documents / page
	for _, work := range []struct {
		name  string
		unit  string
		steps int
		each  int // of the unit, in a step
		do    func(k keeper, step int) error
	}{
		{"inserts, 1.4 KB, batches of 1,000, one index", "docs/s", documents / batch, batch, func(k keeper, step int) error {
			docs := make([]document, batch)
			for n := range docs {
				docs[n] = made(step*batch+n, twins)
			}
			return k.insert(ctx, docs)
		}},
		{"read and update, 500 at a time", "docs/s", documents / 2 / swap, swap, func(k keeper, step int) error {
			ids := make([]string, swap)
			for n := range ids {
				ids[n] = key(2*(step*swap+n), twins)
			}
			return k.update(ctx, ids)
		}},
		{"find a page of 100 by index", "finds/s", documents / 50, 1, func(k keeper, step int) error {
			n, err := k.find(ctx, twinOf(step*7919%twins))
			if err == nil && n != page {
				err = fmt.Errorf("found %d of %d", n, page)
			}
			return err
		}},
	} {
		var took [2]time.Duration
		for step := range work.steps {
			for i, k := range []keeper{floor, ours} {
				begin := time.Now()
				if err := work.do(k, step); err != nil {
					return fmt.Errorf("%s, %s: %w", work.name, []string{"floor", what}[i], err)
				}
				took[i] += time.Since(begin)
			}
		}
		all := float64(work.steps * work.each)
		b.add(Figure{Name: "store, " + what + ": " + work.name, Value: all / took[1].Seconds(), Unit: work.unit, Floor: all / took[0].Seconds(), FloorIs: floorIs})
	}
	return nil
}

// portable is our store, on either driver.
type portable struct{ c *store.Collection[plain] }

// plain is document without the revision, which the store keeps itself.
type plain struct {
	ID   string             `bson:"_id"`
	Twin string             `bson:"twin"`
	At   int64              `bson:"at"`
	Data map[string]float64 `bson:"data"`
	Raw  string             `bson:"raw"`
}

func openPortable(ctx context.Context, db *store.DB) (keeper, error) {
	c, err := store.Open[plain](ctx, db, store.Spec{Name: "documents", Indexes: []store.Index{{Name: "by-twin", Fields: []string{"twin", "-at"}}}})
	return portable{c}, err
}

func (p portable) insert(ctx context.Context, docs []document) error {
	many := make([]plain, len(docs))
	for i, d := range docs {
		many[i] = plain{d.ID, d.Twin, d.At, d.Data, d.Raw}
	}
	_, err := p.c.InsertMany(ctx, many)
	return err
}

func (p portable) update(ctx context.Context, ids []string) error {
	docs, err := p.c.Load(ctx, ids)
	if err != nil {
		return err
	}
	for _, d := range docs {
		d.Value.Data["cpu"]++
	}
	_, err = p.c.ReplaceMany(ctx, docs)
	return err
}

func (p portable) find(ctx context.Context, twin string) (int, error) {
	found, err := p.c.Find(ctx, store.Query{Index: "by-twin", Filter: store.Eq("twin", twin), Limit: page})
	return len(found.Items), err
}

// bare is Pebble with documents in BSON and a key per index entry, nothing else.
type bare struct{ db *pebble.DB }

func openPebble(dir string) (bare, error) {
	o := &pebble.Options{CacheSize: 128 << 20, MemTableSize: 32 << 20, Logger: quiet{}} // as ours
	for i := range o.Levels {
		o.Levels[i].FilterPolicy, o.Levels[i].BlockSize, o.Levels[i].IndexBlockSize = bloom.FilterPolicy(10), 16<<10, 256<<10
	}
	db, err := pebble.Open(dir, o)
	return bare{db}, err
}

func entry(d document) []byte { return fmt.Appendf(nil, "i/%s/%020d/%s", d.Twin, 1<<60-d.At, d.ID) }

func (p bare) insert(_ context.Context, docs []document) error {
	b := p.db.NewBatch()
	defer b.Close()
	for _, d := range docs {
		raw, err := bson.Marshal(d)
		if err != nil {
			return err
		}
		if err := b.Set([]byte("d/"+d.ID), raw, nil); err != nil {
			return err
		}
		if err := b.Set(entry(d), nil, nil); err != nil {
			return err
		}
	}
	return b.Commit(pebble.Sync)
}

func (p bare) get(id string) (d document, err error) {
	raw, closer, err := p.db.Get([]byte("d/" + id))
	if err != nil {
		return d, err
	}
	defer closer.Close()
	return d, bson.Unmarshal(raw, &d)
}

func (p bare) update(_ context.Context, ids []string) error {
	b := p.db.NewBatch()
	defer b.Close()
	for _, id := range ids {
		d, err := p.get(id)
		if err != nil {
			return err
		}
		d.Data["cpu"]++
		raw, err := bson.Marshal(d)
		if err != nil {
			return err
		}
		if err := b.Set([]byte("d/"+id), raw, nil); err != nil {
			return err
		}
	}
	return b.Commit(pebble.Sync)
}

func (p bare) find(_ context.Context, twin string) (n int, err error) {
	it, err := p.db.NewIter(&pebble.IterOptions{LowerBound: []byte("i/" + twin + "/"), UpperBound: []byte("i/" + twin + "0")})
	if err != nil {
		return 0, err
	}
	defer it.Close()
	for ok := it.First(); ok && n < page; ok = it.Next() {
		words := strings.SplitN(string(it.Key()), "/", 4)
		if _, err := p.get(words[3]); err != nil {
			return n, err
		}
		n++
	}
	return n, it.Error()
}

type quiet struct{}

func (quiet) Infof(string, ...any)      {}
func (quiet) Errorf(string, ...any)     {}
func (quiet) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }

// rawMongo is MongoDB's driver with compare-and-swap by a revision, nothing else.
type rawMongo struct{ c *mongo.Collection }

func (d rawMongo) insert(ctx context.Context, docs []document) error {
	_, err := d.c.InsertMany(ctx, docs, options.InsertMany().SetOrdered(false))
	return err
}

func (d rawMongo) update(ctx context.Context, ids []string) error {
	found, err := d.c.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}})
	if err != nil {
		return err
	}
	var docs []document
	if err := found.All(ctx, &docs); err != nil {
		return err
	}
	writes := make([]mongo.WriteModel, len(docs))
	for i, doc := range docs {
		was := bson.D{{Key: "_id", Value: doc.ID}, {Key: "revision", Value: doc.Revision}}
		if doc.Revision == 0 {
			was[1].Value = nil
		}
		doc.Revision++
		doc.Data["cpu"]++
		writes[i] = mongo.NewReplaceOneModel().SetFilter(was).SetReplacement(doc)
	}
	result, err := d.c.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false))
	if err == nil && result.MatchedCount != int64(len(ids)) {
		err = fmt.Errorf("%d of %d documents were swapped", result.MatchedCount, len(ids))
	}
	return err
}

func (d rawMongo) find(ctx context.Context, twin string) (int, error) {
	found, err := d.c.Find(ctx, bson.D{{Key: "twin", Value: twin}}, options.Find().SetSort(bson.D{{Key: "at", Value: -1}}).SetLimit(page))
	if err != nil {
		return 0, err
	}
	var docs []document
	err = found.All(ctx, &docs)
	return len(docs), err
}
