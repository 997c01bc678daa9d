package deploy

import (
	"strconv"
	"strings"

	"github.com/castor-iot/castor/shared/platform"
	"github.com/compose-spec/compose-go/v2/types"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// beside is the memory of a process, in MiB, that GOMEMLIMIT does not bound: its program, threads, and of-watchdog beside it.
const beside = 64

// roomForDrivers finds a limit of memory that is too small for a process together with the workers that run payload drivers for it.
// The kernel would end one of them, and many platforms all of the container with it, when a driver takes what it may.
func roomForDrivers(name string, env map[string]string, workers, megabytes int64, limit resource.Quantity) (f Faults) {
	soft, err := resource.ParseQuantity(strings.TrimSuffix(env["GOMEMLIMIT"], "B"))
	if err != nil {
		f.Add("%s: it runs payload drivers and has no GOMEMLIMIT", name)
		return f
	}
	need := soft.Value()>>20 + workers*megabytes + beside
	if limit.Value()>>20 < need {
		f.Add("%s: its memory limit of %d MiB does not hold GOMEMLIMIT, %d driver workers of %d MiB and %d MiB: want %d MiB",
			name, limit.Value()>>20, workers, megabytes, beside, need)
	}
	return f
}

// gatewayDrivers does so for a container with a connector. Only an operational gateway reads what devices report.
func gatewayDrivers(name string, env map[string]string, limit resource.Quantity) (f Faults) {
	if env["CASTOR_GATEWAY_PHASE"] != "operational" {
		return nil
	}
	workers, err := strconv.ParseInt(env["CASTOR_DRIVER_WORKERS"], 10, 64)
	megabytes, err2 := strconv.ParseInt(env["CASTOR_DRIVER_MEMORY"], 10, 64)
	if err != nil || err2 != nil || workers < 2 || megabytes < platform.DriverMegabytes {
		// Without a number there are as many as the machine has processors, and a container does not know how large that is.
		f.Add("%s: CASTOR_DRIVER_WORKERS must say how many workers run drivers, 2 at least, and CASTOR_DRIVER_MEMORY in how many MiB each, %d at least",
			name, platform.DriverMegabytes)
		return f
	}
	return roomForDrivers(name, env, workers, megabytes, limit)
}

// functionDrivers does so for function drivers as stack.yml deploys it.
func functionDrivers(files Files, s Stack) (f Faults) {
	const name = "drivers"
	env, err := files.Environment(s, name)
	if err != nil {
		return Faults{err.Error()}
	}
	limit, err := resource.ParseQuantity(s.Functions[name].Limits.Memory)
	if err != nil {
		return Faults{"stack.yml: function drivers has no limit of memory"}
	}
	return roomForDrivers("function "+name, env, platform.DriverWorkers+platform.BenchWorkers, platform.DriverMegabytes, limit)
}

// composeDrivers does so for the services of compose.yaml.
func composeDrivers(p *types.Project) (f Faults) {
	for _, name := range p.ServiceNames() {
		s, env := p.Services[name], map[string]string{}
		for key, v := range s.Environment {
			if v != nil {
				env[key] = *v
			}
		}
		limit := *resource.NewQuantity(int64(s.MemLimit), resource.BinarySI)
		f = append(f, gatewayDrivers(name, env, limit)...)
		if name == "drivers" {
			f = append(f, roomForDrivers(name, env, platform.DriverWorkers+platform.BenchWorkers, platform.DriverMegabytes, limit)...)
		}
	}
	return f
}

// Drivers does so for the pods of the cluster.
func (c *Cluster) Drivers() (f Faults) {
	for _, w := range c.Workloads {
		for _, container := range w.containers() {
			f = append(f, gatewayDrivers(w.String()+": container "+container.Name, plain(container.Env), *container.Resources.Limits.Memory())...)
		}
	}
	return f
}

func plain(vars []corev1.EnvVar) map[string]string {
	env := map[string]string{}
	for _, v := range vars {
		env[v.Name] = v.Value
	}
	return env
}
