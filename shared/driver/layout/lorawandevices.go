package layout

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/castor-iot/castor/shared/driver"
	"go.yaml.in/yaml/v3"
)

// A codecFile is the payload codec definition of The Things Network's device repository (its README, "Payload Codecs").
type codecFile struct {
	UplinkDecoder, DownlinkEncoder, DownlinkDecoder *codecPart
}

type codecPart struct {
	FileName string      `yaml:"fileName"`
	Examples []yaml.Node `yaml:"examples"`
}

// UnmarshalYAML takes the three parts and leaves what else the file says.
func (c *codecFile) UnmarshalYAML(n *yaml.Node) error {
	var parts struct {
		Up   *codecPart `yaml:"uplinkDecoder"`
		Down *codecPart `yaml:"downlinkEncoder"`
		Back *codecPart `yaml:"downlinkDecoder"`
	}
	err := n.Decode(&parts)
	c.UplinkDecoder, c.DownlinkEncoder, c.DownlinkDecoder = parts.Up, parts.Down, parts.Back
	return err
}

// lorawanDevices reads vendor/NAME/*.yaml; the folder may be the repository, its folder vendor, or that of one vendor.
func lorawanDevices(root fs.FS) (suites []Suite, err error) {
	err = walk(root, func(name string) error {
		if e := path.Ext(name); e != ".yaml" && e != ".yml" {
			return nil
		}
		text, err := read(root, name)
		if err != nil {
			return err
		}
		if !bytes.Contains(text, []byte("linkDecoder")) && !bytes.Contains(text, []byte("downlinkEncoder")) {
			return nil
		}
		dir := path.Dir(name)
		vendor := path.Base(dir)
		title := strings.TrimSuffix(path.Base(name), path.Ext(name))
		var c codecFile
		if err := readYAML(text, &c); err != nil {
			suites = append(suites, Suite{Vendor: vendor, Name: title, Broken: err})
			return nil
		}
		for _, p := range []struct {
			op   driver.Op
			part *codecPart
		}{{driver.DecodeUplink, c.UplinkDecoder}, {driver.EncodeDownlink, c.DownlinkEncoder}, {driver.DecodeDownlink, c.DownlinkDecoder}} {
			if p.part != nil && len(p.part.Examples) > 0 {
				suites = append(suites, p.part.suite(root, dir, vendor, title, p.op))
			}
		}
		return nil
	})
	return suites, err
}

func (p *codecPart) suite(root fs.FS, dir, vendor, title string, op driver.Op) Suite {
	s := Suite{Vendor: vendor, Name: title, Driver: driver.Driver{Name: title, Kind: driver.JavaScript}}
	s.Driver.Code, s.Broken = read(root, path.Join(dir, p.FileName))
	for i := range p.Examples {
		var e example
		err := e.read(&p.Examples[i])
		var tests []driver.Test
		if err == nil {
			tests, err = e.tests(op)
		}
		if err != nil {
			s.Unread = append(s.Unread, fmt.Errorf("example %d: %w", i+1, err))
		}
		s.Tests = append(s.Tests, tests...)
	}
	return s
}
