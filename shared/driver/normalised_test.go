package driver_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Main()
	os.Exit(m.Run())
}

func TestNormalised(t *testing.T) {
	pool, err := sandbox.New(sandbox.Config{Limit: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	object := func(name string, v any) map[string]any { return map[string]any{name: v} }
	for name, tt := range map[string]struct {
		normal string
		want   driver.Result
	}{
		"none":   {"", driver.Result{Data: object("t", 21.5), Warnings: []string{"w"}}},
		"object": {"return {data: {temperature: input.data.t}};", driver.Result{Data: object("temperature", 21.5), Warnings: []string{"w"}}},
		"list": {"return {data: [{a: 1}, {b: 2, time: '2026-03-01T11:00:00Z'}], warnings: ['x']};",
			driver.Result{Warnings: []string{"w", "x"}, Records: []driver.Record{{Data: object("a", 1.0)}, {Time: at.Add(-time.Hour), Data: object("b", 2.0)}}}},
		"refused":   {"return {errors: ['no']};", driver.Result{Warnings: []string{"w"}, Errors: []string{"no"}}},
		"no object": {"return {data: [1]};", driver.Result{Warnings: []string{"w"}, Failure: driver.Invalid, Reason: "normalizeUplink: measurement 1 is 1, not an object"}},
	} {
		script := "function decodeUplink(input) { return {data: {t: 21.5}, warnings: ['w']}; }\n"
		if tt.normal != "" {
			script += "function normalizeUplink(input) { " + tt.normal + " }\n"
		}
		codec := driver.Normalised(pool.Codec(&driver.Driver{Kind: driver.JavaScript, Code: []byte(script)}))
		got, err := codec.Run(t.Context(), []driver.Call{{Op: driver.DecodeUplink, Bytes: []byte{1}, Port: 1, Time: at}, {Op: driver.EncodeDownlink, Data: object("a", 1.0)}})
		if err != nil || len(got) != 2 || fmt.Sprint(got[0]) != fmt.Sprint(tt.want) || got[1].Failure != driver.Missing {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, tt.want)
		}
	}
}
