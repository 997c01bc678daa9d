// A driver that looks at everything it should not see, and keeps what it should not keep. What it is asked to do
// is the topic of the call.
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
	"unsafe"
)

var (
	input, output []byte
	calls         int
	seen          = map[string]int{}
	hoard         [][]byte
)

//go:wasmexport alloc
func alloc(n uint32) uint32 {
	input = make([]byte, n+1)
	return uint32(uintptr(unsafe.Pointer(&input[0])))
}

//go:wasmexport decode
func decode(at, n uint32) uint64 {
	said := look(string(input[:n]))
	output = append([]byte("\xa2\x67version\x01\x64data\xa1\x64said\x79"), binary.BigEndian.AppendUint16(nil, uint16(len(said)))...)
	output = append(output, said...)
	return uint64(uintptr(unsafe.Pointer(&output[0])))<<32 | uint64(len(output))
}

func look(asked string) string {
	calls++
	seen[asked]++
	hoard = append(hoard, make([]byte, 10_000))
	switch {
	case strings.Contains(asked, "counters"):
		return fmt.Sprint(calls, len(seen), len(hoard))
	case strings.Contains(asked, "clock"):
		began := time.Now()
		time.Sleep(time.Hour)
		return began.UTC().Format(time.RFC3339Nano) + " " + time.Since(began).Truncate(time.Minute).String()
	case strings.Contains(asked, "random"):
		b := make([]byte, 16)
		rand.Read(b)
		return fmt.Sprintf("%x", b)
	case strings.Contains(asked, "files"):
		_, open := os.ReadFile("/etc/passwd")
		_, list := os.ReadDir("/")
		write := os.WriteFile("x", nil, 0o600)
		_, dial := net.DialTimeout("tcp", "127.0.0.1:1", time.Second)
		n, _ := os.Stdin.Read(make([]byte, 10))
		return fmt.Sprint(open != nil, list != nil, write != nil, dial != nil, len(os.Environ()), len(os.Args), n)
	case strings.Contains(asked, "print"):
		fmt.Println("to standard output")
		fmt.Fprintln(os.Stderr, "to standard error")
		return "printed"
	case strings.Contains(asked, "close"):
		os.Stdout.Close()
		os.Stderr.Close()
		return "closed"
	case strings.Contains(asked, "panic"):
		panic("out of ideas")
	case strings.Contains(asked, "exit"):
		os.Exit(3)
	case strings.Contains(asked, "memory"):
		for i := 0; ; i++ {
			hoard = append(hoard, bytes.Repeat([]byte{byte(i)}, 1<<20))
		}
	case strings.Contains(asked, "recursion"):
		return fmt.Sprint(deep(1))
	}
	return "nothing"
}

func deep(n int) int { return deep(n+1) + len(fmt.Sprint(n)) }

func main() {}
