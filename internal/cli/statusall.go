package cli

import (
	"encoding/json"
	"slices"

	"github.com/envctl/envctl/internal/view"
	"github.com/envctl/envctl/providers"
)

// statusAll lists every environment on the engine.
func (a *app) statusAll() error {
	w, err := a.world(providers.Instance{})
	if err != nil {
		return err
	}
	defer w.close()
	all, err := w.docker.ObserveAll(a.interrupts.stop)
	if err != nil {
		return err
	}
	type environment struct {
		Environment string           `json:"environment"`
		Instance    string           `json:"instance"`
		SpecDir     string           `json:"spec_dir"`
		Resources   []resourceStatus `json:"resources"`
	}
	out := struct {
		Format       int            `json:"format"`
		Environments []*environment `json:"environments"`
	}{1, []*environment{}}
	rows := [][]string{{"ENVIRONMENT", "INSTANCE", "RESOURCE", "STATE", "SPEC"}}
	for _, o := range all {
		i := slices.IndexFunc(out.Environments, func(e *environment) bool {
			return e.Environment == o.Instance.Environment && e.Instance == o.Instance.ID
		})
		if i < 0 {
			i = len(out.Environments)
			out.Environments = append(out.Environments, &environment{o.Instance.Environment, o.Instance.ID, o.Instance.SpecDir, nil})
		}
		e := out.Environments[i]
		e.Resources = append(e.Resources, resourceStatus{o.Addr, o.State, o.Detail})
		rows = append(rows, []string{e.Environment, e.Instance, o.Addr.String(), string(o.State), e.SpecDir})
	}
	if a.json {
		return json.NewEncoder(a.Out).Encode(out)
	}
	return view.Table(a.Out, rows, a.colorOut())
}
