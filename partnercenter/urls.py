"""The root URL configuration."""

from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path

from partnercenter.admin import sign_in_to_admin
from partnercenter.auth import NewPasswordView
from partnercenter.views.home import healthz, home
from partnercenter.views.jobs import job, job_again
from partnercenter.views.operations import operation, operation_code, operation_edit
from partnercenter.views.partners import partner_information

urlpatterns = [
    path("", home, name="home"),
    path("healthz", healthz, name="healthz"),
    path(
        "sign-in/",
        auth.LoginView.as_view(template_name="registration/sign_in.html"),
        name="sign_in",
    ),
    path("sign-out/", auth.LogoutView.as_view(), name="sign_out"),
    path(
        "password/",
        auth.PasswordChangeView.as_view(template_name="registration/password_change.html"),
        name="password_change",
    ),
    path(
        "password/changed/",
        auth.PasswordChangeDoneView.as_view(template_name="registration/password_change_done.html"),
        name="password_change_done",
    ),
    path(
        "password/reset/",
        auth.PasswordResetView.as_view(
            email_template_name="registration/password_reset_email.txt",
            subject_template_name="registration/password_reset_subject.txt",
            template_name="registration/password_reset_form.html",
        ),
        name="password_reset",
    ),
    path(
        "password/reset/sent/",
        auth.PasswordResetDoneView.as_view(template_name="registration/password_reset_done.html"),
        name="password_reset_done",
    ),
    path(
        "password/reset/<uidb64>/<token>/",
        NewPasswordView.as_view(),
        name="password_reset_confirm",
    ),
    path(
        "password/reset/complete/",
        auth.PasswordResetCompleteView.as_view(template_name="registration/password_reset_complete.html"),
        name="password_reset_complete",
    ),
    path("partner-information/", partner_information, name="partner_information"),
    path("operations/<uuid:pk>/", operation, name="operation"),
    path("operations/<uuid:pk>/code/", operation_code, name="operation_code"),
    path("operations/<uuid:pk>/edit/", operation_edit, name="operation_edit"),
    path("jobs/<uuid:pk>/", job, name="job"),
    path("jobs/<uuid:pk>/again/", job_again, name="job_again"),
    path("customers/", include("customers.urls")),
    path("", include("budgets.urls")),
    path("admin/login/", sign_in_to_admin),
    path("admin/", admin.site.urls),
]
