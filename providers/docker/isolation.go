package docker

import (
	"github.com/docker/docker/api/types/container"

	"github.com/envctl/envctl/envspec"
)

// isolate says in the engine's words what a container may do and have of the engine's host.
func isolate(host *container.HostConfig, body *envspec.Container) {
	host.ReadonlyRootfs = body.ReadOnly
	host.DNS = body.DNS
	host.ShmSize = body.ShmSize
	host.Sysctls = body.Sysctls
	host.GroupAdd = body.GroupAdd
	host.CapDrop = body.CapDrop
	host.SecurityOpt = body.SecurityOpt
	for _, u := range body.Ulimits {
		host.Ulimits = append(host.Ulimits, &container.Ulimit{Name: u.Name, Soft: u.Soft, Hard: u.Hard})
	}
	for _, d := range body.Devices {
		host.Devices = append(host.Devices, container.DeviceMapping{
			PathOnHost: d.Host, PathInContainer: d.Container, CgroupPermissions: d.Permissions,
		})
	}
	if body.GPUs != 0 {
		host.DeviceRequests = []container.DeviceRequest{{Count: body.GPUs, Capabilities: [][]string{{"gpu"}}}}
	}
	if body.Logging != nil {
		host.LogConfig = container.LogConfig{Type: body.Logging.Driver, Config: body.Logging.Options}
	}
}
