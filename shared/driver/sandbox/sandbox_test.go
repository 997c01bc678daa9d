package sandbox

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/driver"
)

// The tests' workers are the test program itself.
func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

func pool(t testing.TB, c Config) *Pool {
	t.Helper()
	c.Limit = slow * 100 * time.Millisecond
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func script(p *Pool, source string) driver.Codec {
	return p.Codec(&driver.Driver{Kind: driver.JavaScript, Code: []byte(source)})
}

func frames(hexes ...string) (calls []driver.Call) {
	for _, h := range hexes {
		b, err := hex.DecodeString(h)
		if err != nil {
			panic(err)
		}
		calls = append(calls, driver.Call{Op: driver.DecodeUplink, Bytes: b, Port: 1, Time: time.Now()})
	}
	return calls
}

func ask(t testing.TB, c driver.Codec, calls []driver.Call) []driver.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	results, err := c.Run(ctx, calls)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func TestACodec(t *testing.T) {
	c := script(pool(t, Config{}), `function decodeUplink(i) { return {data: {n: i.bytes[0], env: typeof process, at: i.recvTime instanceof Date}}; }`)
	var calls []driver.Call
	for i := range 500 {
		calls = append(calls, frames(fmt.Sprintf("%02x", i%256))...)
	}
	for i, r := range ask(t, c, calls) {
		data, _ := r.Data.(map[string]any)
		if !r.OK() || data["n"] != float64(i%256) || data["env"] != "undefined" || data["at"] != true {
			t.Fatalf("call %d: %+v", i, r)
		}
	}
}

func TestNoScript(t *testing.T) {
	for _, r := range ask(t, script(pool(t, Config{}), "function ("), frames("00", "01")) {
		if r.Failure != driver.Invalid || !strings.Contains(r.Reason, "line 1") {
			t.Errorf("%+v", r)
		}
	}
}

// Each of these is one message among good ones, of the same codec and of another; the good ones are decoded all the same.
func TestMisconductCostsItsMessage(t *testing.T) {
	const good = `return {data: {ok: true}};`
	for name, c := range map[string]struct {
		body string
		want []driver.Failure
	}{
		"endless loop":            {`for (;;) {}`, []driver.Failure{driver.Timeout}},
		"a built-in":              {`[].indexOf.call({length: Math.pow(2, 53) - 1}, 1);`, []driver.Failure{driver.Timeout}},
		"a join":                  {`new Array(1e8).join('x');`, []driver.Failure{driver.Timeout, driver.Memory}},
		"a regular expression":    {`/(a+)+$/.test('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!');`, []driver.Failure{driver.Timeout}},
		"a sort":                  {`var a = []; for (var k = 0; k < 1e5; k++) a.push(k); a.sort(function () { for (;;) {} });`, []driver.Failure{driver.Timeout}},
		"memory":                  {`var a = []; for (;;) a.push(new Array(10000).fill(1));`, []driver.Failure{driver.Memory, driver.Timeout}},
		"typed arrays":            {`var a = []; for (;;) a.push(new Uint8Array(1e7));`, []driver.Failure{driver.Memory, driver.Timeout}},
		"text":                    {`var s = 'x'; for (;;) s += s;`, []driver.Failure{driver.Memory}},
		"output":                  {`return {data: {s: 'x'.repeat(1e6)}};`, []driver.Failure{driver.Output}},
		"recursion":               {`(function f() { f(); })();`, []driver.Failure{driver.Exception}},
		"recursion in JSON":       {`var a = []; for (var k = 0; k < 1e5; k++) a = [a]; return {data: a};`, []driver.Failure{driver.Exception, driver.Output, driver.Invalid, driver.Timeout}},
		"a tree that is shared":   {`var a = [1]; for (var k = 0; k < 64; k++) a = [a, a]; return {data: {a: a}};`, []driver.Failure{driver.Timeout, driver.Memory, driver.Output}},
		"an exception":            {`throw new Error('no');`, []driver.Failure{driver.Exception}},
		"an exception of its own": {`throw {toString: function () { for (;;) {} }, get message() { for (;;) {} }};`, []driver.Failure{driver.Exception, driver.Timeout}},
		"an endless getter":       {`return {get data() { for (;;) {} }};`, []driver.Failure{driver.Timeout}},
		"an endless toJSON":       {`return {data: {toJSON: function () { for (;;) {} }}};`, []driver.Failure{driver.Timeout}},
		"an endless proxy":        {`return {data: new Proxy({}, {ownKeys: function () { for (;;) {} }})};`, []driver.Failure{driver.Timeout}},
		"a caught interruption":   {`for (;;) { try { for (;;) {} } catch (e) {} }`, []driver.Failure{driver.Timeout}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := pool(t, Config{Workers: 2})
			bad := script(p, `function decodeUplink(i) { if (i.bytes[0] === 255) { `+c.body+` } `+good+` }`)
			other := script(p, `function decodeUplink(i) { `+good+` }`)
			var all sync.WaitGroup
			all.Go(func() {
				for _, r := range ask(t, other, frames("00", "01", "02", "03")) {
					if !r.OK() {
						t.Errorf("another codec's message: %+v", r)
					}
				}
			})
			for i, r := range ask(t, bad, frames("00", "01", "ff", "02", "03")) {
				if i == 2 {
					found := false
					for _, f := range c.want {
						found = found || r.Failure == f
					}
					if !found || r.Reason == "" {
						t.Errorf("the bad message: %+v, want %v", r, c.want)
					}
				} else if !r.OK() {
					t.Errorf("message %d: %+v", i, r)
				}
			}
			all.Wait()
		})
	}
}

// A driver that hangs again and again has one worker; the others' calls go on.
func TestAHostileDriverHasOneWorker(t *testing.T) {
	p := pool(t, Config{Workers: 2})
	bad := script(p, `function decodeUplink() { [].indexOf.call({length: Math.pow(2, 53) - 1}, 1); }`)
	good := script(p, `function decodeUplink(i) { return {data: {n: i.bytes[0]}}; }`)
	ask(t, bad, frames("00"))
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for ctx.Err() == nil {
				_, _ = bad.Run(ctx, frames("00", "00", "00"))
			}
		})
	}
	before := p.Killed()
	for range 200 {
		if r := ask(t, good, frames("07")); !r[0].OK() {
			t.Errorf("%+v", r)
		}
	}
	if killed := p.Killed() - before; killed > 100 {
		t.Errorf("%d workers were killed during 200 calls of another driver", killed)
	}
	cancel()
	all.Wait()
}

// Drivers that a worker had to forget are given to it again.
func TestMoreDriversThanAWorkerHolds(t *testing.T) {
	p := pool(t, Config{Workers: 1, Drivers: 3})
	for round := range 3 {
		for i := range 10 {
			r := ask(t, script(p, fmt.Sprintf(`function decodeUplink() { return {data: {n: %d}}; }`, i)), frames("00"))
			if data, _ := r[0].Data.(map[string]any); data["n"] != float64(i) {
				t.Fatalf("round %d, driver %d: %+v", round, i, r[0])
			}
		}
	}
}

func TestTheEndOfAPool(t *testing.T) {
	p := pool(t, Config{Workers: 1})
	c := script(p, `function decodeUplink() { for (;;) {} }`)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Run(ctx, frames("00", "00", "00", "00", "00", "00", "00")); err == nil {
		t.Error("calls whose context has ended have results")
	}
	p.Close()
	if _, err := c.Run(context.Background(), frames("00")); err == nil {
		t.Error("a closed pool makes calls")
	}
}

// However many drivers hang at the same moment, and whatever time they may take, one that has been quick is served meanwhile.
func TestDriversThatHangTogether(t *testing.T) {
	p := pool(t, Config{Workers: 3})
	good := script(p, `function decodeUplink(i) { return {data: {n: i.bytes[0]}}; }`)
	for range proof {
		ask(t, good, frames("07"))
	}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for i := range 4 {
		bad := p.Codec(&driver.Driver{Kind: driver.JavaScript, Limit: time.Minute, Code: fmt.Appendf(nil, `function decodeUplink() { for (;;) {} } // %d`, i)})
		all.Go(func() { _, _ = bad.Run(ctx, frames("00")) })
	}
	for p.hanging() < 2 {
		ask(t, good, frames("07"))
	}
	for range 100 { // within the minute that any of the others may take: the test would end by its own limit
		if r := ask(t, good, frames("07")); !r[0].OK() {
			t.Fatalf("%+v", r)
		}
	}
	if n := p.hanging(); n != 2 {
		t.Errorf("%d workers are with drivers that hang, want all but the first", n)
	}
	cancel()
	p.Close()
	all.Wait()
}

// hanging is how many workers serve drivers that have never come back.
func (p *Pool) hanging() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, q := range p.queues {
		if q.made == 0 {
			n += q.active
		}
	}
	return n
}

// A worker that ends while it holds several drivers may have ended for any of them: what it was doing is done once more, in a new one.
func TestAWorkerThatEndsIsNotTheLastDriversFault(t *testing.T) {
	for _, crowded := range []bool{true, false} {
		p := pool(t, Config{Workers: 1})
		if crowded {
			ask(t, script(p, `function decodeUplink() { return {data: {}}; }`), frames("00"))
		}
		busy := p.Codec(&driver.Driver{Kind: driver.JavaScript, Limit: time.Minute,
			Code: fmt.Appendf(nil, `function decodeUplink() { for (var k = 0; k < %d; k++); return {data: {n: 1}}; }`, 30_000_000/slow)}) // seconds
		result := make(chan driver.Result)
		go func() { result <- ask(t, busy, frames("00"))[0] }()
		for p.hanging() == 0 {
			<-time.After(time.Millisecond)
		}
		p.mu.Lock()
		for w := p.serving[0]; w == nil; w = p.serving[0] {
			p.mu.Unlock()
			<-time.After(time.Millisecond)
			p.mu.Lock()
		}
		p.serving[0].kill()
		p.mu.Unlock()
		if r := <-result; r.OK() != crowded {
			t.Errorf("crowded %v: %+v", crowded, r)
		}
	}
}
