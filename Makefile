# msisdn-monitor. `make help` lists everything; each target sets up what it needs.
.DEFAULT_GOAL := help
.PHONY: $(shell awk -F: '/^[a-z-]+:.*## / { print $$1 }' Makefile)
VENV := .venv/bin
SIZE := 100

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## replay the 2012 story: what leaked, to whom, since when
	@scripts/setup
	@$(VENV)/msisdn-monitor replay pcaps/o2-2012.pcap --rules rules/; code=$$?; \
	if [ $$code -eq 1 ]; then echo "Exit code 1 means that violations were found: the demo worked."; else exit $$code; fi

test: ## everything that pytest knows; live tests too when root
	@scripts/setup dev
	@[ "$$(id -u)" -ne 0 ] || scripts/tools ip=iproute2 curl=curl promtool=prometheus amtool=prometheus-alertmanager /usr/sbin/apache2=apache2-bin
	@$(VENV)/python -m pytest

engine: ## the native engine's own checks: cargo fmt, clippy, test
	@cd engine && cargo fmt --check && cargo clippy --locked -q --all-targets --features python -- -D warnings && cargo test --locked -q
	@cd engine/fuzz && cargo fmt --check && cargo check -q

lint: ## ruff, and who may import whom
	@scripts/setup dev
	@$(VENV)/ruff check . && $(VENV)/ruff format --check . && $(VENV)/lint-imports

types: ## mypy --strict, and the native engine's stub against the engine
	@scripts/setup dev
	@$(VENV)/mypy
	@! ls monitor/_engine.*.so >/dev/null 2>&1 || $(VENV)/python -m mypy.stubtest --concise monitor._engine

check: lint types engine test ## what CI runs, but for the fresh checkout
	@$(VENV)/msisdn-monitor check rules/

golden: ## write captures and goldens again; read the diff before you commit it
	@scripts/setup dev
	@$(VENV)/python -m pcaps.recipes && $(VENV)/python -m pcaps.recipes --golden
	@$(VENV)/python -m tests.metrics_page

bench: ## speed beside the installed peers -> bench/RESULTS.md; SIZE=1000 for captures of a gigabyte
	@scripts/setup dev
	@$(VENV)/python -m bench --size $(SIZE)

precision: ## numbers found among a million values that hold none, and values a CPU second
	@scripts/setup dev
	@$(VENV)/python -m bench.precision

bench-floods: ## what attacks that exhaust other sensors cost this one -> bench/RESULTS.md
	@scripts/setup dev
	@$(VENV)/python -m bench.floods

bench-cost: ## what the worst input costs each parser beside typical input -> bench/RESULTS.md
	@scripts/setup dev
	@$(VENV)/python -m bench.parsers

bench-live: ## drop curve and latency on a veth pair, beside tcpdump, tshark, Suricata -> bench/RESULTS.md (root)
	@scripts/setup dev
	@scripts/tools tcpreplay=tcpreplay tcpdump=tcpdump tshark=tshark ip=iproute2
	@$(VENV)/python -m bench.live

soak: ## whether the memory of a live sensor stays flat: make soak MINUTES=60 (root)
	@scripts/setup dev
	@scripts/tools tcpreplay=tcpreplay ip=iproute2
	@$(VENV)/python -m bench.live --soak $${MINUTES:-10}

fuzz: ## each fuzz target for a minute: the native engine's, and the agreements
	@scripts/setup dev
	@scripts/fuzz $${SECONDS_EACH:-60}

fuzz-long: ## each for an hour, then ten thousand random talks (plain and odd, found alike, and the books), disturbed, lossy and hostile captures, all decoys, talks with a kernel
	@scripts/setup dev
	@scripts/fuzz $${SECONDS_EACH:-3600}
	@TALKS=10000 ENGINE_EXAMPLES=10000 $(VENV)/python -m pytest --timeout 36000 tests/test_talks.py tests/test_odd_talks.py tests/test_engine.py tests/test_losses.py tests/test_audit.py tests/test_sinks.py
	@$(VENV)/python -m tests.decoys native && $(VENV)/python -m tests.decoys portable
	@[ "$$(id -u)" -ne 0 ] || { scripts/tools ip=iproute2 && $(VENV)/python -m tests.live.replayed 1000; }

docs: ## write docs/metrics.md, rules/schema.json and docs/demo.svg again
	@scripts/setup dev
	@$(VENV)/python -m monitor.report.metrics > docs/metrics.md
	@$(VENV)/python -m monitor.agreements.schema > rules/schema.json
	@$(VENV)/python scripts/picture.py

dashboards: ## write deploy/grafana/dashboards again
	@scripts/setup dev
	@$(VENV)/python deploy/grafana/build.py

grafana: ## check the dashboards with Grafana's types, draw them over a story of MINUTES=6 (npm, 470 MB; root)
	@scripts/setup dev
	@scripts/tools npm=npm chromium=chromium prometheus=prometheus
	@cd deploy/grafana/look && npm install --silent --no-audit --no-fund --legacy-peer-deps && node types.mjs
	@PYTHONPATH=. $(VENV)/python deploy/grafana/look/story.py --minutes $${MINUTES:-6}
	@$(VENV)/python deploy/grafana/look/draw.py

wheel: ## a source archive and a wheel for any Linux of the last ten years, in dist/
	@scripts/setup dev
	@scripts/wheel

wheelhouse: wheel ## and in dist/wheels those of the libraries: all that deploy/install needs on a machine without internet
	@$(VENV)/python -m pip --disable-pip-version-check wheel -q -w dist/wheels dist/*.whl

deployment: ## what deploy/ ships is valid: unit, compose file, Kubernetes manifests
	@scripts/setup dev
	@scripts/tools systemd-analyze=systemd docker-compose=docker-compose
	@$(VENV)/python -m pip --disable-pip-version-check install -q kubernetes-validate
	@$(VENV)/kubernetes-validate --strict --quiet deploy/kubernetes/msisdn-monitor.yaml
	@$(VENV)/python -m pytest tests/test_deploy.py

try-service: wheelhouse ## the service in a Debian of its own, from installation to uninstallation (root; some minutes)
	@scripts/try-service

clean: ## remove what the targets made
	rm -rf .venv build dist *.egg-info engine/target monitor/*.so .mypy_cache .ruff_cache .pytest_cache .hypothesis
