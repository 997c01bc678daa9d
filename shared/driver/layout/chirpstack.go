package layout

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/castor-iot/castor/shared/driver"
	"go.yaml.in/yaml/v3"
)

// chirpstack reads vendors/NAME/codecs/*.js with the tests test_decode_*.json and test_encode_*.json beside them, which are
// JSON5.
func chirpstack(root fs.FS) (suites []Suite, err error) {
	err = walk(root, func(name string) error {
		base := path.Base(name)
		op, title := driver.DecodeUplink, strings.TrimPrefix(base, "test_decode_")
		if title == base {
			op, title = driver.EncodeDownlink, strings.TrimPrefix(base, "test_encode_")
		}
		if title == base || path.Ext(base) != ".json" {
			return nil
		}
		title = strings.TrimSuffix(title, ".json")
		dir := path.Dir(name)
		vendor := path.Base(dir)
		if vendor == "codecs" {
			vendor = path.Base(path.Dir(dir))
		}
		s := Suite{Vendor: vendor, Name: title, Driver: driver.Driver{Name: title, Kind: driver.JavaScript}}
		s.Driver.Code, s.Broken = read(root, path.Join(dir, title+".js"))
		text, err := read(root, name)
		if err != nil {
			return err
		}
		nodes, err := json5Nodes(text)
		if err != nil {
			s.Broken = fmt.Errorf("%s: %w", base, err)
		}
		for i := range nodes {
			var e example
			err := nodes[i].Decode(&e)
			var tests []driver.Test
			if err == nil {
				tests, err = e.tests(op)
			}
			if err != nil {
				s.Unread = append(s.Unread, fmt.Errorf("test %d of %s: %w", i+1, base, err))
			}
			s.Tests = append(s.Tests, tests...)
		}
		if len(s.Tests) > 0 || s.Broken != nil || len(s.Unread) > 0 {
			suites = append(suites, s)
		}
		return nil
	})
	return suites, err
}

// json5Nodes reads a list of tests.
func json5Nodes(text []byte) ([]yaml.Node, error) {
	v, err := parseJSON5(string(text))
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		return nil, errors.New("it must be a list of tests")
	}
	nodes := make([]yaml.Node, len(list))
	for i, v := range list {
		if err := nodes[i].Encode(v); err != nil {
			return nil, err
		}
	}
	return nodes, nil
}
