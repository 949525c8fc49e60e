# The README's commands. Each sets up first, which does nothing when it is done already.

.PHONY: setup demo test lock

setup:
	@infra/setup.sh

demo: setup
	@.venv/bin/evidence demo

test:
	@infra/test.sh

# Pin every dependency anew, then look at the difference before committing it.
COMPILE = .venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate

lock: setup
	$(COMPILE) --extra offline --extra plots --group dev pyproject.toml -o requirements.lock
	$(COMPILE) infra/build.in -o infra/build.lock
