package host

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/shirou/gopsutil/v4/host"
)

// Facts is what a device says of itself when it is provisioned: os, platform, kernel, arch, cores, hostname and agent (its
// version). What the system does not tell is left out.
func Facts(ctx context.Context, version string) map[string]string {
	out := map[string]string{"os": runtime.GOOS, "arch": runtime.GOARCH, "cores": strconv.Itoa(runtime.NumCPU()), "agent": version}
	if platform, _, release, err := host.PlatformInformationWithContext(ctx); err == nil {
		out["platform"] = strings.TrimSpace(platform + " " + release)
	}
	if kernel, err := host.KernelVersionWithContext(ctx); err == nil {
		out["kernel"] = kernel
	}
	if name, err := os.Hostname(); err == nil {
		out["hostname"] = name
	}
	for k, v := range out {
		if v = strings.TrimSpace(v); v == "" {
			delete(out, k)
		} else {
			out[k] = v[:min(len(v), 256)]
		}
	}
	return out
}

// ErrNoID tells that this machine has nothing to make a serial of.
var ErrNoID = errors.New("this machine has no id of its own: name it with --serial")

// Serial is a serial for this machine, "host-" and 20 hexadecimal digits. It stays the same as long as the operating
// system is not installed anew. It is made of the machine's id (/etc/machine-id on Linux, IOPlatformUUID, MachineGuid) by
// HMAC-SHA-256, as systemd's machine-id(5) asks for: the id itself is confidential and never leaves the machine. Machines
// cloned from one image share the id until they are given their own.
func Serial(ctx context.Context) (string, error) {
	id := machineID(ctx)
	if id == "" {
		return "", ErrNoID
	}
	h := hmac.New(sha256.New, []byte(id))
	h.Write([]byte("castor-agent serial"))
	return "host-" + hex.EncodeToString(h.Sum(nil)[:10]), nil
}

func machineID(ctx context.Context) string {
	if runtime.GOOS == "linux" {
		// Not host.HostID: it prefers the firmware's UUID, which only root can read, and falls back on one per boot.
		for _, path := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id"} {
			if b, err := os.ReadFile(path); err == nil && len(strings.TrimSpace(string(b))) == 32 {
				return strings.TrimSpace(string(b))
			}
		}
		return ""
	}
	id, err := host.HostIDWithContext(ctx)
	if err != nil {
		return ""
	}
	return id
}

// MAC is the address of the first real interface, "" if there is none. One that its maker has given goes before one that
// software has made up.
func MAC() string {
	all, err := net.Interfaces()
	if err != nil {
		return ""
	}
	all = slices.DeleteFunc(all, func(i net.Interface) bool {
		return i.Flags&net.FlagLoopback != 0 || len(i.HardwareAddr) != 6 || !real(i.Name)
	})
	if len(all) == 0 {
		return ""
	}
	rank := func(i net.Interface) int {
		n := i.Index
		if i.HardwareAddr[0]&2 != 0 { // locally administered
			n += 1 << 20
		}
		if i.Flags&net.FlagUp == 0 {
			n += 1 << 21
		}
		return n
	}
	return slices.MinFunc(all, func(a, b net.Interface) int { return cmp.Compare(rank(a), rank(b)) }).HardwareAddr.String()
}

// real tells whether traffic over an interface leaves the machine and is counted nowhere else.
func real(name string) bool {
	name = strings.ToLower(name)
	for _, p := range []string{"lo", "veth", "docker", "br-", "virbr", "ifb", "tun", "tap", "wg", "utun", "awdl", "llw", "dummy", "cni", "cali", "flannel", "bridge", "vmnet", "vethernet", "isatap"} {
		if strings.HasPrefix(name, p) {
			return false
		}
	}
	return true
}

// Model is what kind of machine this is, as its maker calls it; on a machine that does not say, its system and processor.
func Model() string {
	for _, path := range []string{"/sys/class/dmi/id/product_name", "/proc/device-tree/model"} {
		if b, err := os.ReadFile(path); err == nil {
			if m := strings.Trim(string(b), " \n\x00"); m != "" {
				return m[:min(len(m), 256)]
			}
		}
	}
	return runtime.GOOS + "/" + runtime.GOARCH
}
