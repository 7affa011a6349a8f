package docker

import (
	"os"
	"slices"
	"strings"

	"github.com/envctl/envctl/internal/lazyregexp"
)

// dockerfile is a Dockerfile's lines and where its FROM instructions are: as much as is needed to pin
// base images and to label what is made on the way.
type dockerfile struct {
	lines []string
	froms []from
}

// from is one FROM instruction.
type from struct {
	last  int    // index of its last line
	image string // with arguments expanded; the stages of the file itself are left in
	raw   string // as written
	stage string // the name after AS, lower case
	runs  []int  // indices of the first lines of its RUN instructions
}

var (
	escapeDirective = lazyregexp.New("(?i)^#\\s*escape\\s*=\\s*([`\\\\])\\s*$")
	heredoc         = lazyregexp.New(`<<-?\s*["']?([A-Za-z_]\w*)["']?`)
	argInstruction  = lazyregexp.New(`(?is)^ARG\s+(.+)$`)
	runWord         = lazyregexp.New(`(?i)^\s*RUN\b`)
	fromInstruction = lazyregexp.New(`(?is)^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?\s*$`)
)

// parseDockerfile finds the base images. Args are the build's own, which displace the defaults of ARG.
func parseDockerfile(text string, args map[string]string) dockerfile {
	d := dockerfile{lines: strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")}
	escape := `\`
	if m := escapeDirective.FindStringSubmatch(d.lines[0]); m != nil {
		escape = m[1]
	}
	global := map[string]string{}
	for i := 0; i < len(d.lines); i++ {
		instruction := strings.TrimSpace(d.lines[i])
		if instruction == "" || instruction[0] == '#' {
			continue
		}
		first := i
		for strings.HasSuffix(instruction, escape) && i+1 < len(d.lines) {
			i++
			next := strings.TrimSpace(d.lines[i])
			if strings.HasPrefix(next, "#") {
				continue // a comment between continued lines is left out
			}
			instruction = strings.TrimSuffix(instruction, escape) + " " + next
		}
		for _, m := range heredocs(instruction) {
			for i+1 < len(d.lines) && strings.TrimSpace(d.lines[i]) != m {
				i++
			}
		}
		if m := argInstruction.FindStringSubmatch(instruction); m != nil && len(d.froms) == 0 {
			for _, word := range strings.Fields(m[1]) {
				name, value, _ := strings.Cut(word, "=")
				if given, ok := args[name]; ok {
					value = given
				}
				global[name] = strings.Trim(value, `"'`)
			}
		}
		if word, _, _ := strings.Cut(instruction, " "); strings.EqualFold(word, "RUN") && len(d.froms) > 0 {
			stage := &d.froms[len(d.froms)-1]
			stage.runs = append(stage.runs, first)
		}
		if m := fromInstruction.FindStringSubmatch(instruction); m != nil {
			d.froms = append(d.froms, from{last: i, raw: m[1], image: expand(m[1], global), stage: strings.ToLower(m[2])})
		}
	}
	return d
}

// heredocs gives the words that end the here-documents which an instruction opens.
func heredocs(instruction string) []string {
	word, _, _ := strings.Cut(instruction, " ")
	if !slices.Contains([]string{"RUN", "COPY", "ADD"}, strings.ToUpper(word)) {
		return nil
	}
	var ends []string
	for _, m := range heredoc.FindAllStringSubmatch(instruction, -1) {
		ends = append(ends, m[1])
	}
	return ends
}

// expand puts in $NAME, ${NAME} and ${NAME:-default}.
func expand(s string, vars map[string]string) string {
	return os.Expand(s, func(name string) string {
		name, def, _ := strings.Cut(name, ":-")
		if v := vars[name]; v != "" {
			return v
		}
		return def
	})
}

// bases lists the images that come from elsewhere, each once, in the order of the file.
func (d dockerfile) bases() []string {
	var images []string
	stages := map[string]bool{"scratch": true}
	for _, f := range d.froms {
		if !stages[strings.ToLower(f.image)] && !slices.Contains(images, f.image) {
			images = append(images, f.image)
		}
		if f.stage != "" {
			stages[f.stage] = true
		}
	}
	return images
}

// rewrite gives the text with the base images that pins knows replaced, and label, unless it is empty, after each FROM. Of
// a stage with steps, before goes there too, and flags to each of its RUNs.
func (d dockerfile) rewrite(pins map[string]string, label, before, flags string) string {
	lines := slices.Clone(d.lines)
	for _, f := range d.froms {
		if pin, ok := pins[f.image]; ok {
			// The image stands on the last line but where the instruction is continued, which nobody does;
			// then it is left as written.
			lines[f.last] = strings.Replace(lines[f.last], f.raw, pin, 1)
		}
		if label != "" {
			lines[f.last] += "\n" + label
		}
		if len(f.runs) > 0 && before != "" {
			lines[f.last] += "\n" + before
		}
		for _, i := range f.runs {
			if at := runWord.FindStringIndex(lines[i]); flags != "" && at != nil {
				lines[i] = lines[i][:at[1]] + " " + flags + lines[i][at[1]:]
			}
		}
	}
	return strings.Join(lines, "\n")
}
