package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/format"
	"github.com/castor-iot/castor/shared/driver/javascript"
	"github.com/castor-iot/castor/shared/driver/layout"
	"github.com/castor-iot/castor/shared/driver/sandbox"
	"github.com/castor-iot/castor/shared/telemetry"
)

// vectors are the suites whose inputs and outputs are at hand: the kits' own, and those of the folders that are given.
func (b *bench) vectors(kits []kit) (suites []layout.Suite, err error) {
	for _, k := range kits {
		suites = append(suites, layout.Suite{Vendor: "kits", Name: k.name, Driver: *k.driver, Tests: k.driver.Tests})
	}
	for _, dir := range strings.FieldsFunc(b.corpus, func(r rune) bool { return r == ',' }) {
		form := "castor"
		for name, sign := range map[string]string{"lorawan-devices": "vendor", "chirpstack": "vendors"} {
			if info, err := os.Stat(filepath.Join(dir, sign)); err == nil && info.IsDir() {
				form = name
			}
		}
		more, err := layout.Read(form, dir)
		if err != nil {
			return nil, err
		}
		suites = append(suites, more...)
	}
	if b.corpus == "" {
		fmt.Println("left out: vectors of public codecs; -drivers-corpus DIR,… names their folders (lorawan-devices, chirpstack-device-profiles)")
	}
	return suites, nil
}

// measureExact runs all vectors in the sandbox, and those of codecs in JavaScript in V8.
func (b *bench) measureExact(ctx context.Context, kits []kit) error {
	suites, err := b.vectors(kits)
	if err != nil {
		return err
	}
	b.suites = suites
	pool, err := newPool(sandbox.Config{Limit: slowest})
	if err != nil {
		return err
	}
	defer pool.Close()
	v8, err := inV8(ctx, suites)
	if err != nil {
		fmt.Printf("left out: the comparison with V8: %v\n", err)
	}
	var ours, theirs, both, known, all int
	for i, s := range suites {
		all += max(len(s.Tests)+len(s.Unread), 1)
		if s.Broken != nil {
			continue
		}
		passes, err := passed(ctx, pool, &s)
		if err != nil {
			return err
		}
		for k, ok := range passes {
			if ok {
				ours++
			}
			if s.Driver.Kind != driver.JavaScript || v8 == nil {
				continue
			}
			if known++; v8[i][k] {
				theirs++
				if ok {
					both++
				} else {
					fmt.Printf("V8 passes, the sandbox does not: %s %s: %.100s\n", s.Vendor, s.Name, s.Tests[k].Name)
				}
			}
		}
	}
	b.add(Figure{Name: fmt.Sprintf("exactness: vectors that pass, of %d of %d drivers", all, len(suites)), Value: 100 * float64(ours) / float64(all), Unit: "%"})
	if theirs > 0 {
		b.add(Figure{Name: fmt.Sprintf("exactness: of the %d of %d JavaScript vectors that V8 passes", theirs, known), Value: 100 * float64(both) / float64(theirs), Unit: "%"})
	}
	return nil
}

func passed(ctx context.Context, pool *sandbox.Pool, s *layout.Suite) ([]bool, error) {
	out := make([]bool, len(s.Tests))
	codec, err := pool.Open(&s.Driver)
	if err != nil {
		return out, nil // it cannot be loaded: none passes
	}
	calls := make([]driver.Call, len(s.Tests))
	for i := range s.Tests {
		calls[i] = s.Tests[i].Call
	}
	results, err := codec.Run(ctx, calls)
	for i := range results {
		out[i] = len(s.Tests[i].Check(results[i])) == 0
	}
	return out, err
}

//go:embed v8.js
var v8Harness string

// inV8 tells of each vector in JavaScript whether it passes in Node.js.
func inV8(ctx context.Context, suites []layout.Suite) (passes map[int][]bool, err error) {
	type call struct {
		Op        driver.Op         `json:"op"`
		Bytes     []int             `json:"bytes"`
		Port      int               `json:"fPort"`
		Time      int64             `json:"recvTime,omitempty"` // milliseconds since 1970
		Data      any               `json:"data"`
		Variables map[string]string `json:"variables"`
	}
	type suite struct {
		Code  string `json:"code"`
		Calls []call `json:"calls"`
	}
	ask := map[int]suite{}
	for i, s := range suites {
		if s.Driver.Kind != driver.JavaScript || s.Broken != nil {
			continue
		}
		q := suite{Code: string(s.Driver.Code), Calls: make([]call, len(s.Tests))}
		for k, t := range s.Tests {
			q.Calls[k] = call{Op: t.Op, Bytes: make([]int, len(t.Bytes)), Port: t.Port, Data: t.Data, Variables: t.Variables}
			if !t.Time.IsZero() {
				q.Calls[k].Time = t.Time.UnixMilli()
			}
			for n, v := range t.Bytes {
				q.Calls[k].Bytes[n] = int(v)
			}
		}
		ask[i] = q
	}
	in, err := json.Marshal(ask)
	if err != nil {
		return nil, err
	}
	node := exec.CommandContext(ctx, "node", "-e", v8Harness)
	node.Stdin, node.Env = bytes.NewReader(in), append(os.Environ(), "TZ=UTC")
	said, err := node.Output()
	if err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	var answers map[int][]string
	if err := json.Unmarshal(said, &answers); err != nil {
		return nil, fmt.Errorf("what node said: %w", err)
	}
	passes = map[int][]bool{}
	for i, texts := range answers {
		passes[i] = make([]bool, len(texts))
		for k, text := range texts {
			t := &suites[i].Tests[k]
			passes[i][k] = len(t.Check(javascript.Read(t.Op, text))) == 0
		}
	}
	return passes, nil
}

// measureWire compares the compact form of what uplinks say with JSON.
func (b *bench) measureWire() error {
	var n, raw, asJSON, compact float64
	for _, s := range b.suites {
		ids, numbers := format.IDs{}, map[string]int64{}
		for _, t := range s.Tests {
			data, ok := t.Want.Data.(map[string]any)
			if t.Op != driver.DecodeUplink || !ok || len(data) == 0 {
				continue
			}
			text, err1 := json.Marshal(data)
			samples, err2 := telemetry.Flatten(data)
			if err1 != nil || err2 != nil {
				continue // what no twin can have
			}
			flat := map[string]any{}
			for _, v := range samples {
				flat[v.Property] = v.Value
			}
			for _, name := range slices.Sorted(maps.Keys(flat)) {
				if numbers[name] == 0 {
					numbers[name] = int64(len(numbers) + 1)
					ids[numbers[name]] = name
				}
			}
			short, err := format.EncodeCompact([]driver.Record{{Data: flat}}, ids)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", s.Name, t.Name, err)
			}
			n, raw, asJSON, compact = n+1, raw+float64(len(t.Bytes)), asJSON+float64(len(text)), compact+float64(len(short))
		}
	}
	b.add(Figure{Name: fmt.Sprintf("compact form of an uplink, mean of %.0f", n), Value: compact / n, Unit: "B", Floor: asJSON / n, FloorIs: "the same in JSON",
		Note: fmt.Sprintf("the device's own frame has %.1f", raw/n)})
	return nil
}
