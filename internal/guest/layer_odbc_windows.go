package guest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/windows/registry"

	"github.com/envctl/envctl/internal/guestproto"
)

// odbcKind makes a system data source, as the ODBC administrator does: in the registry.
type odbcKind struct{}

// odbcSaved is what undo needs: of the source's own key, and of the list of sources.
type odbcSaved struct {
	Source registrySaved  `json:"source"`
	List   *registrySaved `json:"list,omitempty"`
}

// odbcPlaces are the source's key and the list that names it, with their values. The values are nil
// where the driver is not there.
func odbcPlaces(l guestproto.Layer) (source, list regPath, values, listed map[string]regValue, err error) {
	view := uint32(registry.WOW64_64KEY)
	switch l.ODBC.Bits {
	case 0, 64:
	case 32:
		view = registry.WOW64_32KEY
	default:
		return source, list, nil, nil, fmt.Errorf("bits %d: 32 or 64", l.ODBC.Bits)
	}
	if strings.ContainsAny(l.Name, `[]{}(),;?*=!@\`) {
		return source, list, nil, nil, fmt.Errorf(`the name %q has one of []{}(),;?*=!@\, which ODBC refuses`, l.Name)
	}
	source = regPath{registry.LOCAL_MACHINE, `SOFTWARE\ODBC\ODBC.INI\` + l.Name, view}
	list = regPath{registry.LOCAL_MACHINE, `SOFTWARE\ODBC\ODBC.INI\ODBC Data Sources`, view}
	library, err := odbcDriver(l.ODBC.Driver, view)
	if err != nil {
		return source, list, nil, nil, err
	}
	values = map[string]regValue{"Driver": {registry.SZ, utf16z(library)}}
	for name, text := range l.ODBC.Attributes {
		values[name] = regValue{registry.SZ, utf16z(text.Reveal())}
	}
	return source, list, values, map[string]regValue{l.Name: {registry.SZ, utf16z(l.ODBC.Driver)}}, nil
}

// odbcDriver gives the path of a driver's library.
func odbcDriver(name string, view uint32) (string, error) {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\ODBC\ODBCINST.INI\`+name, registry.QUERY_VALUE|view)
	if err == nil {
		defer k.Close()
		if library, _, err := k.GetStringValue("Driver"); err == nil && library != "" {
			return library, nil
		}
	}
	known := "none is installed"
	if all := odbcDrivers(view); len(all) > 0 {
		known = "there is " + strings.Join(all, ", ")
	}
	return "", fmt.Errorf("no %d-bit ODBC driver %q (%s): install it with a package layer before", map[uint32]int{registry.WOW64_32KEY: 32, registry.WOW64_64KEY: 64}[view], name, known)
}

func odbcDrivers(view uint32) []string {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\ODBC\ODBCINST.INI\ODBC Drivers`, registry.QUERY_VALUE|view)
	if errors.Is(err, registry.ErrNotExist) || err != nil {
		return nil
	}
	defer k.Close()
	names, _ := k.ReadValueNames(-1)
	slices.Sort(names)
	return names
}

func (odbcKind) apply(_ context.Context, s *step) error {
	source, list, values, listed, err := odbcPlaces(s.layer)
	if err != nil {
		return err
	}
	var saved odbcSaved
	err = source.set(values, func(before registrySaved) error {
		saved.Source = before
		return s.save(saved)
	})
	if err != nil {
		return err
	}
	return list.set(listed, func(before registrySaved) error {
		saved.List = &before
		return s.save(saved)
	})
}

func (odbcKind) undo(_ context.Context, s *step) error {
	var saved odbcSaved
	if ok, err := s.saved(&saved); !ok {
		return err
	}
	// The driver may be gone by now, so only the places count.
	source, list, _, _, _ := odbcPlaces(s.layer)
	if saved.List != nil {
		if err := list.restore(*saved.List); err != nil {
			return err
		}
	}
	return source.restore(saved.Source)
}

func (odbcKind) observe(_ context.Context, s *step) (drift, error) {
	source, list, values, listed, err := odbcPlaces(s.layer)
	if err != nil {
		return drifted("%v", err), nil
	}
	d, err := source.differs(values, func(name string) (string, bool) {
		if a, ok := s.layer.ODBC.Attributes[name]; ok {
			return "attributes." + name, a.Sensitive
		}
		return "driver's library", false
	})
	if err != nil {
		return d, err
	}
	ofList, err := list.differs(listed, func(string) (string, bool) { return "driver", false })
	return drift{append(d.words, ofList.words...), append(d.parts, ofList.parts...)}, err
}
