package embedded_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/store/embedded"
)

type reading struct {
	ID     string `bson:"_id"`
	Twin   string `bson:"twin"`
	Number int64  `bson:"number"`
	Serial string `bson:"serial"`
}

func openReadings(db *store.DB) (*store.Collection[reading], error) {
	return store.Open[reading](context.Background(), db, store.Spec{Name: "readings", Indexes: []store.Index{
		{Name: "by-twin", Fields: []string{"twin", "-number"}},
		{Name: "by-serial", Fields: []string{"serial"}, Unique: true},
	}})
}

// write writes until it fails, and tells of every document that was acknowledged: "id number".
func write(ctx context.Context, c *store.Collection[reading], name string, acknowledged func(id string, number int64)) {
	for n := int64(1); ctx.Err() == nil; n++ {
		var many []reading
		for i := range 5 {
			id := fmt.Sprintf("%s-%d-%d", name, n, i)
			many = append(many, reading{ID: id, Twin: name, Number: n, Serial: id})
		}
		errs, err := c.InsertMany(ctx, many)
		if err = errors.Join(append(errs, err)...); err != nil {
			return
		}
		for _, r := range many {
			acknowledged(r.ID, r.Number)
		}
		_, err = c.Upsert(ctx, name, func(r *reading, _ bool) error {
			r.Twin, r.Serial, r.Number = fmt.Sprint("twin-", n%3), fmt.Sprint(name, n), n
			return nil
		})
		if err != nil {
			return
		}
		acknowledged(name, n)
	}
}

// checkReadings fails the test unless everything acknowledged is there, at least as new, and the indexes agree with it.
func checkReadings(t *testing.T, db *store.DB, acknowledged map[string]int64) {
	t.Helper()
	ctx := t.Context()
	c, err := openReadings(db)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]reading{}
	if err := c.Scan(ctx, store.Query{}, func(r reading) error { all[r.ID] = r; return nil }); err != nil {
		t.Fatal(err)
	}
	for id, n := range acknowledged {
		if r, ok := all[id]; !ok || r.Number < n {
			t.Errorf("%s was acknowledged at %d and is at %d (there: %t)", id, n, r.Number, ok)
		}
	}
	for _, index := range []string{"by-twin", "by-serial"} {
		n := 0
		err := c.Scan(ctx, store.Query{Index: index}, func(r reading) error {
			if n++; all[r.ID] != r {
				t.Errorf("index %s leads to %+v, stored is %+v", index, r, all[r.ID])
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if n != len(all) {
			t.Errorf("index %s has %d of %d documents", index, n, len(all))
		}
	}
}

// A process that is killed at any moment loses nothing that it has acknowledged.
func TestKilledProcess(t *testing.T) {
	dir := t.TempDir()
	acknowledged := map[string]int64{}
	for round := range 20 {
		child := exec.Command(os.Args[0], "-test.run=^TestChild$")
		child.Env = append(os.Environ(), "STORE_CHILD=write", "STORE_DIR="+dir, fmt.Sprint("STORE_ROUND=", round))
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		child.Stderr = os.Stderr
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for left := 1 + rand.IntN(400); lines.Scan(); {
			var id string
			var n int64
			if _, err := fmt.Sscan(lines.Text(), &id, &n); err != nil {
				t.Fatalf("the child said %q", lines.Text())
			}
			acknowledged[id] = n
			if left--; left == 0 {
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := child.Wait(); err == nil {
			t.Fatal("the child ended before it was killed")
		}
		db, err := embedded.Open(dir)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		checkReadings(t, db, acknowledged)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d acknowledged documents", len(acknowledged))
}

// TestChild is what the other process does in tests that need one.
func TestChild(t *testing.T) {
	task := os.Getenv("STORE_CHILD")
	if task == "" {
		t.Skip("is run by other tests")
	}
	db, err := embedded.Open(os.Getenv("STORE_DIR"))
	if err != nil {
		t.Fatal(err)
	}
	if task == "hold" {
		fmt.Println("open")
		bufio.NewReader(os.Stdin).ReadString('\n')
		return
	}
	c, err := openReadings(db)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			write(context.Background(), c, fmt.Sprintf("r%sw%d", os.Getenv("STORE_ROUND"), w), func(id string, n int64) {
				mu.Lock()
				defer mu.Unlock()
				fmt.Println(id, n)
			})
		})
	}
	wg.Wait()
}

// A machine that loses power keeps what was synced, and any part of the rest.
func TestPowerLoss(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	fs := vfs.NewCrashableMem()
	var acknowledged map[string]int64
	for round := range 20 {
		db, err := embedded.Open("data", embedded.WithFS(fs))
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		checkReadings(t, db, acknowledged)
		c, err := openReadings(db)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var mu sync.Mutex
		var wg sync.WaitGroup
		now := map[string]int64{}
		enough, reached := context.WithCancel(t.Context())
		defer reached()
		want := 1 + rng.IntN(300)
		for w := range 4 {
			wg.Go(func() {
				write(ctx, c, fmt.Sprintf("r%dw%d", round, w), func(id string, n int64) {
					mu.Lock()
					defer mu.Unlock()
					if now[id] = n; len(now) >= want {
						reached()
					}
				})
			})
		}
		<-enough.Done()
		mu.Lock()
		acknowledged = map[string]int64{}
		for id, n := range now {
			acknowledged[id] = n
		}
		mu.Unlock()
		crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		stop()
		wg.Wait()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		fs = crashed
	}
}

func TestInUse(t *testing.T) {
	dir := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^TestChild$")
	child.Env = append(os.Environ(), "STORE_CHILD=hold", "STORE_DIR="+dir)
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.Open(dir); !errors.Is(err, store.ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("while another process has it open: %v, want ErrInUse and the directory", err)
	}
	in.Close()
	child.Wait()
	db, err := embedded.Open(dir)
	if err != nil {
		t.Fatalf("after the other process: %v", err)
	}
	defer db.Close()
	if _, err := embedded.Open(dir); !errors.Is(err, store.ErrInUse) {
		t.Errorf("while this process has it open: %v, want ErrInUse", err)
	}
}
