package winrm

// Identity is what a machine says of itself (DSP0226 11).
type Identity struct {
	ProtocolVersion string
	Vendor          string // "Microsoft Corporation"
	Version         string // "OS: 10.0.20348 SP: 0.0 Stack: 3.0"
}

func (i *Identity) set(element, value string) {
	switch element {
	case "ProtocolVersion":
		i.ProtocolVersion = value
	case "ProductVendor":
		i.Vendor = value
	case "ProductVersion":
		i.Version = value
	}
}
