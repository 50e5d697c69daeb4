"""The words the demo's rows are made of."""

FIRST_NAMES = (
    "Amara", "Bruno", "Chiara", "Dmitri", "Élodie", "Farah", "Gustavo", "Hana", "Ingrid", "Jonas",
    "Keiko", "Luca", "Mei", "Nadia", "Oskar", "Priya", "Quentin", "Rosa", "Søren", "Tariq",
    "Uma", "Viktor", "Wanjiru", "Ximena", "Yusuf", "Zofia",
)  # fmt: skip
LAST_NAMES = (
    "Abe", "Bianchi", "Costa", "Dubois", "Eriksen", "Fischer", "García", "Haddad", "Ivanova",
    "Jensen", "Kowalski", "Lindqvist", "Müller", "Nakamura", "Okafor", "Patel", "Quispe", "Rossi",
    "Silva", "Tanaka", "Ueda", "Varga", "Weber", "Yener", "Zhang",
)  # fmt: skip
TEAM_NAMES = ("Blue Harbor", "Lighthouse Labs", "North Meadow", "Paper Crane", "Quiet Engine")
PROJECT_NAMES = (
    "website", "docs", "dashboard", "checkout", "blog", "admin", "status", "api-gateway",
    "design-system", "mobile-web", "search", "onboarding", "pricing", "changelog", "storybook",
)  # fmt: skip
FRAMEWORKS = ("nextjs", "astro", "sveltekit-1", "remix", "nuxtjs", "vite", "docusaurus-2", "hugo")
NODE_VERSIONS = ("22.x", "20.x", "18.x")
REGIONS = ("iad1", "fra1", "sfo1", "hnd1", "gru1")
BRANCHES = (
    "main", "main", "main", "staging", "feature/new-header", "fix/cart-total", "chore/bump-deps",
    "feature/dark-mode", "fix/login-redirect", "docs/quickstart",
)  # fmt: skip
COMMIT_MESSAGES = (
    "Fix rounding of the cart total",
    "Bump dependencies",
    "Add dark mode",
    "Rewrite the quickstart\n\nThe old one assumed a paid plan.",
    "Cache images for a day",
    "Redirect to the page that asked for the login",
    'Say "Sign in" everywhere',
    "Translate the pricing page (日本語, العربية) 🎉",
    "Remove the unused carousel",
    "Measure web vitals",
)
DEPLOYMENT_SOURCES = ("git", "git", "git", "git", "cli", "redeploy", "import")
VARIABLE_KEYS = (
    "DATABASE_URL", "REDIS_URL", "NEXT_PUBLIC_API_URL", "STRIPE_SECRET_KEY", "SENTRY_DSN",
    "SMTP_PASSWORD", "SESSION_SECRET", "FEATURE_FLAGS", "S3_BUCKET", "OPENAI_API_KEY",
)  # fmt: skip
VARIABLE_TYPES = ("encrypted", "encrypted", "sensitive", "plain", "system")
TOKEN_NAMES = ("CI deploys", "Terraform", "Laptop", "Analytics export", "Release bot", "Backup")
LOGIN_ORIGINS = ("github", "gitlab", "email", "saml", "manual")
