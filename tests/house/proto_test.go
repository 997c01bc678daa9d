package house

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api/devicepb"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const devicepbDir = root + "/shared/api/devicepb"

// The code in the repository is that of the proto in it: make proto notes the sums of all three.
func TestGeneratedCodeIsOfThisProto(t *testing.T) {
	sums, err := os.ReadFile(filepath.Join(devicepbDir, "device.sum"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(sums)), "\n")
	if len(lines) != 3 {
		t.Fatalf("device.sum has %d lines, want those of the proto and of two generated files: run make proto", len(lines))
	}
	for _, line := range lines {
		sum, name, _ := strings.Cut(line, "  ")
		content, err := os.ReadFile(filepath.Join(devicepbDir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := sha256.Sum256(content); hex.EncodeToString(got[:]) != sum {
			t.Errorf("%s is not what the code was generated of, or not what was generated: run make proto", name)
		}
	}
}

// Devices in the field have the numbers built in: what was ever published stays as it was.
func TestFieldNumbersAreForEver(t *testing.T) {
	file := filepath.Join(devicepbDir, "device.numbers")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	published, now := strings.Split(strings.TrimSpace(string(text)), "\n"), numbers(devicepb.File_device_proto)
	for _, line := range published {
		if !slices.Contains(now, line) {
			t.Errorf("%q was published and is not in device.proto any more: give what is new a new number", line)
		}
	}
	for _, line := range now {
		if !slices.Contains(published, line) {
			t.Errorf("%q is not in device.numbers: add it, for ever", line)
		}
	}
}

// numbers are all that a compiled device relies on.
func numbers(file protoreflect.FileDescriptor) (out []string) {
	var messages func(all protoreflect.MessageDescriptors)
	enums := func(all protoreflect.EnumDescriptors) {
		for i := range all.Len() {
			for k, e := 0, all.Get(i); k < e.Values().Len(); k++ {
				out = append(out, fmt.Sprintf("%s %s = %d", e.FullName(), e.Values().Get(k).Name(), e.Values().Get(k).Number()))
			}
		}
	}
	messages = func(all protoreflect.MessageDescriptors) {
		for i := range all.Len() {
			m := all.Get(i)
			for k := range m.Fields().Len() {
				f := m.Fields().Get(k)
				kind := f.Kind().String()
				if f.Message() != nil {
					kind = string(f.Message().FullName())
				} else if f.Enum() != nil {
					kind = string(f.Enum().FullName())
				}
				out = append(out, fmt.Sprintf("%s %s %s %s = %d", m.FullName(), f.Cardinality(), kind, f.Name(), f.Number()))
			}
			enums(m.Enums())
			messages(m.Messages())
		}
	}
	for i := range file.Services().Len() {
		for k, s := 0, file.Services().Get(i); k < s.Methods().Len(); k++ {
			m := s.Methods().Get(k)
			out = append(out, fmt.Sprintf("%s(%s stream=%t) %s stream=%t", m.FullName(), m.Input().FullName(), m.IsStreamingClient(), m.Output().FullName(), m.IsStreamingServer()))
		}
	}
	enums(file.Enums())
	messages(file.Messages())
	return out
}
