"""The command line: it parses and calls, nothing else."""

import sys
from importlib.metadata import version
from typing import Annotated, Any

NEEDED = ("typer", "rich", "sklearn", "scipy", "matplotlib", "jinja2", "pandas")


def main() -> None:
    """The entry point of the ``gradwright`` command."""
    try:
        app = application()
    except ModuleNotFoundError as missing:
        if missing.name not in NEEDED:
            raise
        sys.exit(f'gradwright needs {missing.name} for its command line: pip install "gradwright[study]"')
    for stream in (sys.stdout, sys.stderr):
        # a terminal that lacks a letter shows a mark in its place
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        app(prog_name="gradwright")
    except ValueError as error:
        from rich.console import Console

        line = " ".join(str(error).split())
        Console(stderr=True, soft_wrap=True).print(f"error: {line}", style="red", markup=False, highlight=False)
        sys.exit(2)


def application() -> Any:
    """The typer application with its commands."""
    import typer

    app = typer.Typer(
        help="Optimizers for PyTorch: compare them, look inside them.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    def told(asked: bool) -> None:
        if asked:
            print(f"gradwright {version('gradwright')}, torch {version('torch')}")
            raise typer.Exit

    @app.callback()
    def commands(
        version_asked: Annotated[
            bool, typer.Option("--version", callback=told, is_eager=True, help="Print the versions and leave.")
        ] = False,
    ) -> None:
        """Optimizers for PyTorch: compare them, look inside them."""

    @app.command(epilog="Example: gradwright compare --task digits-mlp --optimizers AdamW,Lion,Muon --seeds 3")
    def compare(
        task: Annotated[
            str,
            typer.Option(
                help="What to train: digits-mlp, digits-vae, zipf-noise, stdlib-gpt, ...; several with commas; suite, "
                "suite-measured, suite-frozen."
            ),
        ] = "digits-mlp",
        optimizers: Annotated[
            str | None,
            typer.Option(
                help="Names with commas; torch:NAME for one of torch.optim; my_module:MyRecipe or file.py:function for "
                "your own; all for every recipe.",
                show_default="AdamW,Lion,Muon; with --losses AdamW",
            ),
        ] = None,
        losses: Annotated[
            str | None,
            typer.Option(
                help="Losses to train with, with commas: ce, tailr, 'gce(q=0.3)', 'exact(sigma=10:1)'.",
                show_default="the task's own",
            ),
        ] = None,
        nuisance: Annotated[
            str | None,
            typer.Option(
                help="What should not matter: factors as in loss=1e-6,init=0.25,input=100,weights=10,steps=4; batch=8.",
                show_default="nothing",
            ),
        ] = None,
        precision: Annotated[
            str | None,
            typer.Option(
                help="The type of the model: fp32, bf16 or fp16; fp32,bf16 shows what it costs.",
                show_default="the task's own",
            ),
        ] = None,
        state: Annotated[
            str | None,
            typer.Option(help="How recipes hold their state: float32, bfloat16, 8bit, parameter.", show_default="auto"),
        ] = None,
        weights: Annotated[
            str | None,
            typer.Option(
                help="How they hold half-precision weights: split24, split32, stochastic.", show_default="plain"
            ),
        ] = None,
        seeds: Annotated[int, typer.Option(help="Runs of each, from other weights every time.")] = 3,
        out: Annotated[str, typer.Option(help="Folder for index.html, results.json and the CSV files.")] = "report",
        overwrite: Annotated[
            bool, typer.Option("--overwrite", help="Replace a report that is in the folder; else it goes to a new one.")
        ] = False,
        budget: Annotated[
            str | None,
            typer.Option(help="Of one run: 300, '300 steps', 20s or '2 min'.", show_default="the task's own"),
        ] = None,
        lr: Annotated[
            float | None, typer.Option(help="One learning rate for all.", show_default="each optimizer's own")
        ] = None,
        lr_grid: Annotated[
            str | None, typer.Option(help="Learning rates to try, 1e-4,1e-3,1e-2, or auto: around each default.")
        ] = None,
        schedule: Annotated[
            str, typer.Option(help="Of the learning rate: constant, linear, cosine or warmup-cosine.")
        ] = "constant",
        first_seed: Annotated[int, typer.Option(help="The first seed; others give fresh weights and batches.")] = 0,
        threads: Annotated[int, typer.Option(help="Processor threads of torch; one is steadiest.")] = 1,
        watch: Annotated[
            bool, typer.Option("--watch", help="Watch every run, and say on the page what is wrong with it.")
        ] = False,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    ) -> None:
        """Train the same model on the same data with several optimizers or losses; write a page that says who won.

        Everyone starts from the same weights and sees the same batches. Ctrl-C stops and still writes the page.
        """
        from gradwright.cli.load import contenders_named
        from gradwright.study import compare as run
        from gradwright.study import show

        study = run(
            task,
            contenders_named(("AdamW" if losses else "AdamW,Lion,Muon") if optimizers is None else optimizers),
            losses=losses,
            nuisance=nuisance,
            precision=precision,
            state=state,
            weights=weights,
            seeds=seeds,
            first_seed=first_seed,
            budget=budget,
            lr=lr,
            lr_grid=lr_grid,
            schedule=schedule,
            out=out,
            overwrite=overwrite,
            threads=threads,
            progress=not quiet,
            watch=watch,
        )
        show(study)
        if not study.files:  # a warning has said why
            raise typer.Exit(1)
        typer.echo(f"\nThe report: {study.files[0]}")
        if study.interrupted:
            raise typer.Exit(130)

    @app.command("list", epilog="Example: gradwright list --trait low_memory --trait '!matrix'")
    def list_recipes(
        trait: Annotated[
            list[str] | None, typer.Option(help="Only recipes with this trait; '!trait' for those without. Repeatable.")
        ] = None,
        traits: Annotated[bool, typer.Option("--traits", help="List the traits instead.")] = False,
        fused: Annotated[
            bool, typer.Option("--fused", help="Say which run as kernels, and why others do not.")
        ] = False,
        losses: Annotated[bool, typer.Option("--losses", help="List the losses instead, with their traits.")] = False,
        in_bytes: Annotated[
            bool, typer.Option("--bytes", help="Say what each holds, in every format of state and weights.")
        ] = False,
    ) -> None:
        """List the recipes: what each is, its state bytes per parameter (float32), its traits. Then the losses."""
        from gradwright.cli.show import show_bytes, show_fusion, show_losses, show_recipes, show_traits

        if in_bytes and (traits or fused or losses):
            raise ValueError("--bytes lists what recipes hold and nothing else; leave out --traits, --fused, --losses")
        if traits and (fused or trait):
            raise ValueError("--traits lists the traits and nothing else; leave out --fused and --trait")
        if losses and (fused or trait or traits):
            raise ValueError("--losses lists the losses and nothing else; leave out --fused, --trait and --traits")
        if traits:
            show_traits()
        elif losses:
            show_losses(traits=True)
        elif fused:
            show_fusion(trait or [])
        elif in_bytes:
            show_bytes(trait or [])
        else:
            show_recipes(trait or [])
            if not trait:
                typer.echo()
                show_losses()

    @app.command(epilog="Example: gradwright explain AdamW")
    def explain(
        recipe: Annotated[
            str, typer.Argument(help="Its name, or that of a loss, see gradwright list; or my_module:MyRecipe.")
        ],
        latex: Annotated[bool, typer.Option("--latex", help="Only the equations, in LaTeX.")] = False,
    ) -> None:
        """Explain a recipe: equations, hyper-parameters, parts, state and source; or a loss."""
        from gradwright.cli.load import recipe_named
        from gradwright.describe import losses
        from gradwright.describe.memory import memory_text
        from gradwright.describe.text import explanation, latex_equations

        if losses.known(recipe):
            if latex:
                raise ValueError(f"--latex prints the equations of a recipe; {recipe} is a loss, leave it out")
            typer.echo(losses.explanation(recipe))
            return
        name = recipe_named(recipe).recipe_name
        typer.echo(latex_equations(name) if latex else f"{explanation(name)}\n\n{memory_text(name)}")

    @app.command(epilog="Example: gradwright fit wine.csv --target quality --loss softmax")
    def fit(
        path: Annotated[str, typer.Argument(help="A CSV file (.gz, .bz2, .xz or .zst too) or a Parquet file.")],
        target: Annotated[str, typer.Option(help="The column to predict.")],
        loss: Annotated[
            str | None,
            typer.Option(
                help="Classes: softmax, hinge, squared_hinge. Numbers: squared, huber, absolute, epsilon_insensitive; "
                "poisson for counts, gamma for what is above 0.",
                show_default="by the target",
            ),
        ] = None,
        test_size: Annotated[float, typer.Option(help="The share of rows kept for testing.")] = 0.25,
        C: Annotated[
            float, typer.Option("-C", help="The inverse of the L2 strength: the smaller, the simpler the model.")
        ] = 1.0,
        out: Annotated[str, typer.Option(help="Folder for the model and index.html.")] = "fit",
        seed: Annotated[int, typer.Option(help="Of the split into rows to fit and rows to test.")] = 0,
        missing: Annotated[
            str,
            typer.Option(
                help="Missing values: error refuses them; drop leaves out their rows; impute fills in the median, with "
                "a column that says so, and makes them a category among texts."
            ),
        ] = "error",
        drop: Annotated[str | None, typer.Option(help="Columns to leave out, with commas.")] = None,
        quiet: Annotated[
            bool, typer.Option("--quiet", "-q", help="Say only the held-out score and where the files are.")
        ] = False,
    ) -> None:
        """Fit a linear model to a table, prove that it is the optimum, and say what limits its score.

        Columns of text become one column per category; columns of numbers are scaled. The model takes rows of the same
        columns; the page shows how.
        """
        from gradwright.linear_model.fit_table import fit_table

        left_out = [name.strip() for name in (drop or "").split(",") if name.strip()]
        fit_table(
            path,
            target,
            loss=loss,
            test_size=test_size,
            C=C,
            out=out,
            seed=seed,
            say=typer.echo,
            missing=missing,
            drop=left_out,
            quiet=quiet,
        )

    @app.command(epilog="Example: gradwright predict fit/model.joblib new.csv --out predictions.csv")
    def predict(
        model: Annotated[str, typer.Argument(help="The model that gradwright fit saved.")],
        path: Annotated[str, typer.Argument(help="A CSV or Parquet file with the columns of the fit.")],
        out: Annotated[str, typer.Option(help="The CSV file to write.")] = "predictions.csv",
    ) -> None:
        """Predict the rows of a table with a saved model.

        The file needs the columns of the fit; others, the target too, are left. Categories that the fit did not have
        and missing values count as its average row.
        """
        from gradwright.linear_model.fit_table import predict_table

        predict_table(model, path, out, say=typer.echo)

    @app.command(epilog="Example: gradwright suggest model.py:make")
    def suggest(
        model: Annotated[str, typer.Argument(help="file.py:function or module:function, which makes the model.")],
    ) -> None:
        """Say what to train a model with, and why."""
        from gradwright.cli.load import load
        from gradwright.routing import suggest as suggested

        typer.echo(str(suggested(load(model)())))

    @app.command(epilog="Example: gradwright check my_module:MyRecipe")
    def check(
        recipe: Annotated[str, typer.Argument(help="module:Class, or the name of a recipe of the library.")],
    ) -> None:
        """Run the contract that every recipe meets on a recipe, your own too."""
        from gradwright.cli.show import show_contract

        if not show_contract(recipe):
            raise typer.Exit(1)

    return app
